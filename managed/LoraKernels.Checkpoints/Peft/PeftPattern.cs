using System.Globalization;
using System.Text.RegularExpressions;

namespace LoraKernels.Checkpoints;

/// <summary>
/// A key of PEFT's <c>rank_pattern</c> or <c>alpha_pattern</c>. PEFT matches <c>(.*\.)?(KEY)$</c> from the start of a
/// module's name: the key describes the name's last parts, or all of it.
/// </summary>
/// <remarks>
/// Keys come from files that nobody vouches for. Only regular expressions that mean the same in Python and .NET are
/// accepted, and they are matched in time linear in the name, whatever they are.
/// </remarks>
internal sealed class PeftPattern
{
    private const int MaxLength = 512;

    /// <summary>Counted repetitions are written out by the matcher: <c>((a{50}){50}){50}</c> is 125000 states.</summary>
    private const int MaxRepetitions = 100;

    private readonly string _key;
    private readonly Regex? _regex;

    private PeftPattern(string key, Regex? regex)
    {
        _key = key;
        _regex = regex;
    }

    /// <summary>Whether the key is a plain name, which needs no regular expression.</summary>
    public bool IsName => _regex is null;

    /// <exception cref="FormatException">The key is not accepted; the message says why.</exception>
    public static PeftPattern Parse(string key)
    {
        if (key.Length is 0 or > MaxLength)
            throw new FormatException($"has {key.Length} characters; patterns have 1 to {MaxLength}");
        if (key.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-' or '.')) return new PeftPattern(key, null);
        Check(key);
        try
        {
            return new PeftPattern(key, new Regex(
                $@"^(?:.*\.)?(?:{key})$", RegexOptions.NonBacktracking | RegexOptions.CultureInvariant));
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException)
        {
            throw new FormatException($"is not a regular expression that can be matched: {e.Message}", e);
        }
    }

    public bool Matches(string module)
    {
        if (_regex is not null) return _regex.IsMatch(module);
        // A plain name may still hold dots, which stand for any character.
        int start = module.Length - _key.Length;
        if (start < 0 || (start > 0 && module[start - 1] != '.')) return false;
        for (int i = 0; i < _key.Length; i++)
        {
            if (_key[i] != '.' && _key[i] != module[start + i]) return false;
        }
        return true;
    }

    /// <summary>Refuses what Python and .NET read differently, and what only backtracking can match.</summary>
    private static void Check(string key)
    {
        bool inClass = false;
        int repetitions = 1;
        for (int i = 0; i < key.Length; i++)
        {
            char next = i + 1 < key.Length ? key[i + 1] : '\0';
            switch (key[i])
            {
                case '\\':
                    string allowed = inClass ? "dDwWsS" : "dDwWsSbB";
                    if (char.IsAsciiLetterOrDigit(next) && !allowed.Contains(next, StringComparison.Ordinal))
                        throw new FormatException($@"uses \{next}; of the lettered escapes, {allowed} are allowed here");
                    i++;
                    break;
                case '[' when inClass:
                    throw new FormatException("has '[' inside a character class; write it as \\[");
                case '[':
                    inClass = true;
                    // A bracket that comes first belongs to the class.
                    if (next == '^') i++;
                    if (i + 1 < key.Length && key[i + 1] == ']') i++;
                    break;
                case ']':
                    inClass = false;
                    break;
                case '(' when !inClass && next == '?' && !key.AsSpan(i).StartsWith("(?:"):
                    throw new FormatException("uses '(?', for a look-around, named group or option; of these only '(?:' "
                        + "is allowed");
                case '{' when !inClass:
                    repetitions *= Repetitions(key.AsSpan(i));
                    if (repetitions > MaxRepetitions)
                        throw new FormatException($"repeats parts more than {MaxRepetitions} times");
                    break;
            }
        }
    }

    /// <summary>The most repetitions of <c>{m}</c>, <c>{m,}</c> or <c>{m,n}</c>.</summary>
    private static int Repetitions(ReadOnlySpan<char> text)
    {
        int end = text.IndexOf('}');
        var inside = end < 0 ? default : text[1..end];
        int comma = inside.IndexOf(',');
        var least = comma < 0 ? inside : inside[..comma];
        var most = comma < 0 || comma == inside.Length - 1 ? least : inside[(comma + 1)..];
        if (!int.TryParse(least, NumberStyles.None, CultureInfo.InvariantCulture, out int from)
            || !int.TryParse(most, NumberStyles.None, CultureInfo.InvariantCulture, out int to))
            throw new FormatException("has '{' that begins no repetition {m}, {m,} or {m,n}; write it as \\{");
        return Math.Clamp(Math.Max(from, to), 1, MaxRepetitions + 1);
    }
}
