using System.Text;
using Spectre.Console;

namespace LoraKernels.Cli;

/// <summary>
/// Standard output and standard error, with what each can show. Results go to the first, everything else to the second.
/// Escape sequences are written to a stream only if it is a terminal and NO_COLOR is not set.
/// </summary>
internal sealed class Terminal
{
    // Where there is no terminal to ask: what a log or a paste can hold.
    private const int DefaultWidth = 100;

    private Terminal(TextWriter output, bool outputAnsi, int outputWidth, TextWriter error, bool errorAnsi, int errorWidth)
    {
        OutputWriter = output;
        OutputWidth = outputWidth;
        ErrorWriter = error;
        ErrorWidth = errorWidth;
        ShowsProgress = errorAnsi;
        Output = CreateConsole(output, outputAnsi, outputWidth);
        Error = CreateConsole(error, errorAnsi, errorWidth);
    }

    public IAnsiConsole Output { get; }

    public IAnsiConsole Error { get; }

    public TextWriter OutputWriter { get; }

    public TextWriter ErrorWriter { get; }

    public int OutputWidth { get; }

    public int ErrorWidth { get; }

    /// <summary>Whether somebody watches standard error, so that a line there may move.</summary>
    public bool ShowsProgress { get; }

    /// <summary>The streams of this process.</summary>
    public static Terminal OfProcess()
    {
        Console.OutputEncoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false);
        bool colour = string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR"))
            && Environment.GetEnvironmentVariable("TERM") != "dumb";
        int width = Console.IsOutputRedirected && Console.IsErrorRedirected ? DefaultWidth : WindowWidth();
        return new Terminal(
            Console.Out, colour && !Console.IsOutputRedirected, Console.IsOutputRedirected ? DefaultWidth : width,
            Console.Error, colour && !Console.IsErrorRedirected, Console.IsErrorRedirected ? DefaultWidth : width);
    }

    /// <summary>Two streams that take plain text only.</summary>
    public static Terminal Plain(TextWriter output, TextWriter error) =>
        new(output, outputAnsi: false, DefaultWidth, error, errorAnsi: false, DefaultWidth);

    /// <summary>Writes <c>error: message</c> to standard error.</summary>
    public void ReportError(string message) => WriteMarked("error:", "1;31", message);

    /// <summary>Writes <c>note: message</c> to standard error.</summary>
    public void ReportNote(string message) => WriteMarked("note:", "1;33", message);

    private void WriteMarked(string mark, string style, string message) =>
        ErrorWriter.WriteLine($"{(ShowsProgress ? $"\e[{style}m{mark}\e[0m" : mark)} {message}");

    private static int WindowWidth()
    {
        try
        {
            return Console.WindowWidth is > 0 and int width ? width : DefaultWidth;
        }
        catch (IOException)
        {
            return DefaultWidth;
        }
    }

    private static IAnsiConsole CreateConsole(TextWriter writer, bool ansi, int width)
    {
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = ansi ? AnsiSupport.Yes : AnsiSupport.No,
            ColorSystem = ansi ? ColorSystemSupport.Detect : ColorSystemSupport.NoColors,
            Interactive = InteractionSupport.No,
            Out = new StreamOutput(writer, ansi, width),
            Enrichment = new ProfileEnrichment { UseDefaultEnrichers = false },
        });
        console.Profile.Capabilities.Unicode = true;
        return console;
    }

    private sealed class StreamOutput(TextWriter writer, bool isTerminal, int width) : IAnsiConsoleOutput
    {
        public TextWriter Writer => writer;

        public bool IsTerminal => isTerminal;

        public int Width => width;

        public int Height => 24;

        public void SetEncoding(Encoding encoding)
        {
        }
    }
}
