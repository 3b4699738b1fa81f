using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace LoraKernels.Cli.Commands;

/// <summary><c>--help</c>: what the parser knows, then the command's examples.</summary>
internal sealed class HelpWithExamples(int width) : SynchronousCommandLineAction
{
    public override int Invoke(ParseResult parseResult)
    {
        TextWriter output = parseResult.InvocationConfiguration.Output;
        Command command = parseResult.CommandResult.Command;
        new HelpAction { MaxWidth = width }.Invoke(parseResult);

        IEnumerable<Example> examples = command is CliCommand own
            ? own.Examples
            : command.Subcommands.OfType<CliCommand>().Select(static child => child.Examples[0]);

        output.WriteLine("Examples:");
        foreach (Example example in examples)
        {
            output.WriteLine($"  {example.CommandLine}");
            output.WriteLine($"      {example.Description}");
        }
        return ExitCode.Ok;
    }
}
