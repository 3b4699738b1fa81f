using System.Text.Json;
using LoraKernels.Cli;

namespace LoraKernels.Tests.Cli;

/// <summary>What a command line came to.</summary>
internal sealed record CommandLine(int ExitCode, string Output, string Error)
{
    /// <summary>Runs the tool in this process, with pipes for its streams.</summary>
    public static CommandLine Run(params string[] args) => Run(CancellationToken.None, args);

    public static CommandLine Run(CancellationToken cancellation, params string[] args)
    {
        using StringWriter output = new(), error = new();
        int exitCode = CliApplication.Run(args, output, error, cancellation);
        return new CommandLine(exitCode, output.ToString(), error.ToString());
    }

    /// <summary>Standard output as one JSON document.</summary>
    public JsonElement Json() => JsonDocument.Parse(Output).RootElement;
}
