using System.Text;
using Spectre.Console;

namespace LoraKernels.Cli.Views;

/// <summary>Lines of "label  value", the values in one column.</summary>
internal sealed class Facts
{
    private const int Margin = 1;
    private const int Gap = 2;

    private readonly List<(string Label, string Value)> _lines = [];

    /// <summary>A heading and what it is about, then an empty line.</summary>
    public static void Title(IAnsiConsole console, string title, string subject)
    {
        console.Write(new Text(title, new Style(decoration: Decoration.Bold)));
        console.WriteLine($": {subject}");
        console.WriteLine();
    }

    public void Add(string label, string value) => _lines.Add((label, value));

    /// <summary>Writes the lines, then an empty one.</summary>
    public void Write(IAnsiConsole console)
    {
        int column = Margin + _lines.Max(static line => line.Label.Length) + Gap;
        foreach ((string label, string value) in _lines)
        {
            console.Write(new Text($"{new string(' ', Margin)}{label.PadRight(column - Margin)}", new Style(Color.Grey)));
            string separator = "";
            foreach (string part in Wrap(value, console.Profile.Width - column))
            {
                // Past Spectre, which would break a long path in the middle.
                console.Profile.Out.Writer.WriteLine(separator + part);
                separator = new string(' ', column);
            }
        }
        console.WriteLine();
    }

    // Breaks at spaces; a word that is too long stays whole, so that it can be copied.
    private static IEnumerable<string> Wrap(string text, int width)
    {
        StringBuilder line = new();
        foreach (string word in text.Split(' '))
        {
            if (line.Length > 0 && line.Length + 1 + word.Length > width)
            {
                yield return line.ToString();
                line.Clear();
            }
            if (line.Length > 0)
                line.Append(' ');
            line.Append(word);
        }
        yield return line.ToString();
    }
}
