namespace LoraKernels.Cli;

/// <summary>A failure that a person can act on.</summary>
internal sealed class CommandException(string message, int exitCode = ExitCode.Failure) : Exception(message)
{
    /// <summary><see cref="ExitCode.Failure"/>, or <see cref="ExitCode.Usage"/> where the command line is to blame.</summary>
    public int ExitStatus { get; } = exitCode;
}
