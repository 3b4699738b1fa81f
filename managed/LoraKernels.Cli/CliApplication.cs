using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.Reflection;
using LoraKernels.Cli.Commands;
using LoraKernels.Cli.Commands.Demo;
using LoraKernels.Cli.Commands.Info;
using LoraKernels.Cli.Commands.Inspect;
using LoraKernels.Cli.Commands.Quantize;
using LoraKernels.Cli.Commands.Verify;

namespace LoraKernels.Cli;

/// <summary>The <c>lorakernels</c> command: parses, runs, and turns whatever happens into an exit code.</summary>
internal static class CliApplication
{
    private const string TraceVariable = "LORAKERNELS_TRACE";

    /// <summary>The version of this tool, without the commit that the SDK appends.</summary>
    public static string Version { get; } =
        typeof(CliApplication).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()
            ?.InformationalVersion.Split('+')[0] ?? "unknown";

    /// <summary>Runs one command line as if both streams were pipes.</summary>
    public static int Run(
        IReadOnlyList<string> args, TextWriter output, TextWriter error, CancellationToken cancellation = default) =>
        Run(args, Terminal.Plain(output, error), cancellation);

    /// <summary>Runs one command line.</summary>
    /// <returns>One of <see cref="ExitCode"/>.</returns>
    public static int Run(IReadOnlyList<string> args, Terminal terminal, CancellationToken cancellation)
    {
        CommonOptions common = new();
        ParseResult parsed = CreateRoot(common, terminal, cancellation).Parse(args);
        if (parsed.Action is ParseErrorAction)
            return ReportUsage(parsed, terminal);

        try
        {
            return parsed.Invoke(new InvocationConfiguration
            {
                Output = terminal.OutputWriter,
                Error = terminal.ErrorWriter,
                EnableDefaultExceptionHandler = false,
                ProcessTerminationTimeout = null,
            });
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            terminal.ReportError("interrupted");
            return ExitCode.Interrupted;
        }
        catch (Exception failure)
        {
            terminal.ReportError(MessageOf(failure));
            if (parsed.GetValue(common.Verbose) || Environment.GetEnvironmentVariable(TraceVariable) is "1" or "true")
                terminal.ErrorWriter.WriteLine(failure);
            return failure is CommandException known ? known.ExitStatus : ExitCode.Failure;
        }
    }

    private static Command CreateRoot(CommonOptions common, Terminal terminal, CancellationToken cancellation)
    {
        Command root = new("lorakernels", "4-bit base weights and many LoRA adapters in one batch.")
        {
            new InfoCommand(common, terminal, cancellation),
            new InspectCommand(common, terminal, cancellation),
            new QuantizeCommand(common, terminal, cancellation),
            new VerifyCommand(common, terminal, cancellation),
            new DemoCommand(common, terminal, cancellation),
            new HelpOption { Action = new HelpWithExamples(terminal.OutputWidth) },
            new VersionOption { Action = new VersionAction() },
            common.Json,
            common.Verbose,
        };
        root.SetAction(_ =>
        {
            root.Parse("--help").Invoke(new InvocationConfiguration { Output = terminal.ErrorWriter });
            return ExitCode.Usage;
        });
        return root;
    }

    private static int ReportUsage(ParseResult parsed, Terminal terminal)
    {
        foreach (string message in parsed.Errors.Select(static error => error.Message).Distinct())
            terminal.ReportError(message);

        string command = parsed.CommandResult.Command is CliCommand known ? $"lorakernels {known.Name}" : "lorakernels";
        terminal.ErrorWriter.WriteLine($"See `{command} --help`.");
        return ExitCode.Usage;
    }

    // The runtime wraps what a parallel loop or a static constructor threw; the cause is what helps.
    private static string MessageOf(Exception failure) => failure switch
    {
        AggregateException { InnerException: { } inner } => MessageOf(inner),
        TypeInitializationException { InnerException: { } inner } => MessageOf(inner),
        _ => failure.Message,
    };

    private sealed class VersionAction : SynchronousCommandLineAction
    {
        public override int Invoke(ParseResult parseResult)
        {
            parseResult.InvocationConfiguration.Output.WriteLine($"lorakernels {Version}");
            return ExitCode.Ok;
        }
    }
}
