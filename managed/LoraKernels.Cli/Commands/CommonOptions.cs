using System.CommandLine;

namespace LoraKernels.Cli.Commands;

/// <summary>The options that every command has.</summary>
internal sealed class CommonOptions
{
    public Option<bool> Json { get; } = new("--json")
    {
        Description = "Write JSON to standard output, and nothing else",
        Recursive = true,
    };

    public Option<bool> Verbose { get; } = new("--verbose")
    {
        Description = "Print the stack trace of an error (or set LORAKERNELS_TRACE=1)",
        Recursive = true,
    };
}
