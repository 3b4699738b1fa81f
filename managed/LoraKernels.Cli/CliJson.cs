using System.Text.Json.Serialization;
using LoraKernels.Cli.Commands.Demo;
using LoraKernels.Cli.Commands.Info;
using LoraKernels.Cli.Commands.Inspect;
using LoraKernels.Cli.Commands.Quantize;
using LoraKernels.Cli.Commands.Verify;

namespace LoraKernels.Cli;

/// <summary>Everything that this tool reads or writes as JSON, without reflection.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    WriteIndented = true,
    NumberHandling = JsonNumberHandling.Strict)]
[JsonSerializable(typeof(DemoReport))]
[JsonSerializable(typeof(DemoStamp))]
[JsonSerializable(typeof(InfoReport))]
[JsonSerializable(typeof(CheckpointReport))]
[JsonSerializable(typeof(AdapterReport))]
[JsonSerializable(typeof(QuantizeReport))]
[JsonSerializable(typeof(IReadOnlyList<VerifyRow>))]
internal sealed partial class CliJson : JsonSerializerContext;
