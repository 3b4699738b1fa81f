using Spectre.Console;

namespace LoraKernels.Cli.Views;

/// <summary>The last line of a command that checks something.</summary>
internal static class Verdict
{
    /// <summary>Writes "verified: ..." or "FAILED: ...".</summary>
    public static void Write(IAnsiConsole console, bool ok, string what)
    {
        console.Write(new Text(
            $"{(ok ? "verified" : "FAILED")}: {what}",
            new Style(ok ? Color.Green : Color.Red, decoration: Decoration.Bold)));
        console.WriteLine();
    }
}
