using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace LoraKernels.Tests.Bindings;

/// <summary>A token and the line it stands on.</summary>
internal readonly record struct CToken(string Text, int Line);

/// <summary>What is left of a header for the parser.</summary>
internal sealed record CPreprocessed(IReadOnlyList<CToken> Tokens, IReadOnlyList<CConstant> Constants);

/// <summary>The part of the C preprocessor that a dull header needs. Anything else is an error, not a guess.</summary>
internal sealed partial class CPreprocessor
{
    private readonly List<CToken> _tokens = [];
    private readonly List<CConstant> _constants = [];
    private readonly HashSet<string> _defined;
    private readonly Stack<Conditional> _conditionals = new();
    private int _line;

    private CPreprocessor(IEnumerable<string> defined) => _defined = [.. defined];

    /// <param name="text">The header.</param>
    /// <param name="defined">Macros that are defined beforehand, with no value.</param>
    public static CPreprocessed Run(string text, IEnumerable<string> defined)
    {
        var preprocessor = new CPreprocessor(defined);
        foreach (string line in WithoutComments(text).Split('\n'))
        {
            preprocessor._line++;
            preprocessor.ReadLine(line.Trim());
        }

        if (preprocessor._conditionals.Count > 0)
            throw preprocessor.Error("#if without #endif");
        return new CPreprocessed(preprocessor._tokens, preprocessor._constants);
    }

    private void ReadLine(string line)
    {
        if (line.StartsWith('#'))
            ReadDirective(line);
        else if (_conditionals.All(conditional => conditional.Active))
            ReadTokens(line);
    }

    private void ReadDirective(string line)
    {
        if (Directive().Match(line) is not { Success: true } match)
            throw Error($"directive '{line}'");

        string argument = match.Groups["argument"].Value;
        switch (match.Groups["name"].Value)
        {
            case "ifdef":
                Open(IsDefined(argument));
                break;
            case "ifndef":
                Open(!IsDefined(argument));
                break;
            case "if":
                Open(Evaluate(argument));
                break;
            case "elif":
                Reopen(Close("#elif"), Evaluate(argument));
                break;
            case "else":
                Reopen(Close("#else"), condition: true);
                break;
            case "endif":
                Close("#endif");
                break;
            case "define":
                if (_conditionals.All(conditional => conditional.Active))
                    Define(argument);
                break;
            case "include":
                if (argument != "<stdint.h>")
                    throw Error($"#include {argument}");
                break;
            default:
                throw Error($"directive '{line}'");
        }
    }

    private void Define(string argument)
    {
        if (MacroDefinition().Match(argument) is not { Success: true } match)
            throw Error($"#define {argument}");

        string name = match.Groups["name"].Value;
        if (!_defined.Add(name))
            throw Error($"a second #define of {name}");
        if (match.Groups["value"] is { Success: true, Value: var value })
            _constants.Add(new CConstant(name, long.Parse(value, CultureInfo.InvariantCulture)));
    }

    private bool Evaluate(string condition) =>
        condition.Split("&&", StringSplitOptions.TrimEntries).All(term =>
            DefinedOperator().Match(term) is { Success: true } match
                ? IsDefined(match.Groups["name"].Value)
                : throw Error($"condition '{term}'"));

    private bool IsDefined(string name) =>
        Identifier().IsMatch(name) ? _defined.Contains(name) : throw Error($"macro name '{name}'");

    private void Open(bool condition) => _conditionals.Push(new Conditional(condition, Taken: condition));

    private Conditional Close(string directive) =>
        _conditionals.TryPop(out Conditional conditional) ? conditional : throw Error($"{directive} without #if");

    private void Reopen(Conditional before, bool condition)
    {
        bool active = condition && !before.Taken;
        _conditionals.Push(new Conditional(active, before.Taken || active));
    }

    private void ReadTokens(string line)
    {
        int position = 0;
        foreach (Match match in Token().Matches(line))
        {
            if (!string.IsNullOrWhiteSpace(line[position..match.Index]))
                break;
            position = match.Index + match.Length;
            AddToken(match.Value);
        }

        if (!string.IsNullOrWhiteSpace(line[position..]))
            throw Error($"'{line[position..].Trim()}'");
    }

    // A macro with no value vanishes where it is used; one with a value has no business in a declaration.
    private void AddToken(string text)
    {
        if (_constants.Any(constant => constant.Name == text))
            throw Error($"macro {text} inside a declaration");
        if (!_defined.Contains(text))
            _tokens.Add(new CToken(text, _line));
    }

    // Line breaks stay, for the line numbers in errors.
    private static string WithoutComments(string text)
    {
        var result = new StringBuilder(text.ReplaceLineEndings("\n"));
        foreach (Match comment in Comment().Matches(result.ToString()))
        {
            for (int i = comment.Index; i < comment.Index + comment.Length; i++)
                result[i] = result[i] == '\n' ? '\n' : ' ';
        }

        return result.ToString();
    }

    private FormatException Error(string what) => new($"Line {_line}: {what} is not understood.");

    private readonly record struct Conditional(bool Active, bool Taken);

    [GeneratedRegex(@"^#\s*(?<name>[a-z]+)\s*(?<argument>.*)$")]
    private static partial Regex Directive();

    [GeneratedRegex(@"^(?<name>\w+)(\s+(?<value>-?[0-9]+))?$", RegexOptions.ExplicitCapture)]
    private static partial Regex MacroDefinition();

    [GeneratedRegex(@"^defined\((?<name>\w+)\)$")]
    private static partial Regex DefinedOperator();

    [GeneratedRegex(@"^[A-Za-z_]\w*$")]
    private static partial Regex Identifier();

    [GeneratedRegex(@"[A-Za-z_]\w*|-?[0-9]+|[{}()\[\],;=*]")]
    private static partial Regex Token();

    [GeneratedRegex(@"/\*.*?\*/|//[^\n]*", RegexOptions.Singleline)]
    private static partial Regex Comment();
}
