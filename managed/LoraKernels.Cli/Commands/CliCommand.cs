using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using LoraKernels.Verification;

namespace LoraKernels.Cli.Commands;

/// <summary>A command line that <c>--help</c> shows, with what it does.</summary>
internal sealed record Example(string CommandLine, string Description);

/// <summary>One command of the tool.</summary>
internal abstract class CliCommand : Command
{
    private readonly CommonOptions _common;

    protected CliCommand(
        string name, string description, CommonOptions common, Terminal terminal, CancellationToken cancellation)
        : base(name, description)
    {
        _common = common;
        Terminal = terminal;
        Cancellation = cancellation;
        SetAction(Execute);
    }

    /// <summary>What <c>--help</c> shows at its end.</summary>
    public abstract IReadOnlyList<Example> Examples { get; }

    protected Terminal Terminal { get; }

    protected CancellationToken Cancellation { get; }

    /// <summary>Runs the command.</summary>
    /// <returns>One of <see cref="ExitCode"/>.</returns>
    protected abstract int Execute(ParseResult parsed);

    protected bool WantsJson(ParseResult parsed) => parsed.GetValue(_common.Json);

    /// <summary>The <c>--device</c> option, for the commands that compute.</summary>
    protected static Option<string?> DeviceOption() => new("--device")
    {
        Description = "cpu, cpu:PATH (reference, portable, avx2, avx512, avx512vnni), cuda or cuda:N; the best one "
            + "there is if not given (emulated in builds from source: the CUDA kernels, checked, on the processor)",
        HelpName = "NAME",
    };

    /// <summary>Names of what <see cref="ComputeMode"/> has, the usual one first.</summary>
    protected static IReadOnlyList<string> ComputeModes { get; } = ["precise", "int8"];

    /// <summary>The <c>--compute</c> option; <see cref="ComputeOf"/> reads it.</summary>
    protected static Option<string> ComputeOption()
    {
        Option<string> option = new("--compute")
        {
            Description = "precise, or int8: x in 8 bits, faster and less exact, on the CPU only",
            HelpName = "MODE",
            DefaultValueFactory = static _ => "precise",
        };
        option.AcceptOnlyFromAmong([.. ComputeModes]);
        return option;
    }

    protected static ComputeMode ComputeOf(ParseResult parsed, Option<string> option) =>
        parsed.GetValue(option) == "int8" ? ComputeMode.Int8Activations : ComputeMode.Precise;

    /// <summary>An option that takes a whole number in a range, which its description and its error name.</summary>
    protected static Option<int> IntegerOption(
        string name, string helpName, string description, int least, int most, int usual) => new(name)
        {
            Description = $"{description}, {least} ... {most}",
            HelpName = helpName,
            DefaultValueFactory = _ => usual,
            CustomParser = result =>
            {
                string text = result.Tokens[0].Value;
                if (int.TryParse(text, CultureInfo.InvariantCulture, out int value) && value >= least && value <= most)
                    return value;
                result.AddError($"{name} is '{text}'; allowed are {least} ... {most}.");
                return usual;
            },
        };

    /// <summary>Whether a <c>--device</c> names the emulated device, which has a library of its own.</summary>
    protected static bool IsEmulated(string? name) =>
        name is not null && name.StartsWith("emulated", StringComparison.OrdinalIgnoreCase);

    /// <summary>Opens the device that was asked for.</summary>
    protected static Device OpenDevice(string? name, ComputeMode compute = ComputeMode.Precise)
    {
        try
        {
            if (IsEmulated(name))
                EmulatedDevice.UseLibrary();
            return name is null && compute == ComputeMode.Precise
                ? Device.Open()
                : Device.Open(name ?? "cpu", compute: compute);
        }
        catch (FileNotFoundException missing)
        {
            throw new CommandException($"--device {name}: {missing.Message}", ExitCode.Usage);
        }
        catch (ArgumentException unknown) when (unknown is not ArgumentNullException)
        {
            string what = unknown.Message.Split(" (Parameter", 2)[0];
            throw new CommandException($"--device: {what}", ExitCode.Usage);
        }
    }

    /// <summary>Writes a result as one JSON document.</summary>
    protected void WriteJson<T>(T result, JsonTypeInfo<T> type) =>
        Terminal.OutputWriter.WriteLine(JsonSerializer.Serialize(result, type));
}
