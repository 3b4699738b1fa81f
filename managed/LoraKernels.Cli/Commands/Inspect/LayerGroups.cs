using System.Globalization;
using System.Text.RegularExpressions;

namespace LoraKernels.Cli.Commands.Inspect;

/// <summary>Lines that differ in the number of their layer only, as one.</summary>
/// <param name="Name">The name, with "0-31" where its layers' number stands.</param>
internal sealed record LayerGroup<T>(string Name, IReadOnlyList<T> Members);

/// <summary>Puts the layers of a model together, so that 32 layers of 7 linears are 7 lines.</summary>
internal static partial class LayerGroups
{
    /// <param name="name">What an item is called.</param>
    /// <param name="content">What is to be equal within a group.</param>
    /// <param name="each">Keep every item apart.</param>
    public static List<LayerGroup<T>> Of<T>(IEnumerable<T> items, Func<T, string> name, Func<T, object> content, bool each) =>
        each
            ? [.. items.Select(item => new LayerGroup<T>(name(item), [item]))]
            : [.. items
                .GroupBy(item => (LayerNumber().Replace(name(item), "*", 1), content(item)))
                .Select(group => new LayerGroup<T>(NameOf([.. group.Select(name)]), [.. group]))];

    private static string NameOf(IReadOnlyList<string> names)
    {
        if (names.Count == 1)
            return names[0];
        int[] numbers = [.. names.Select(name => int.Parse(LayerNumber().Match(name).ValueSpan, CultureInfo.InvariantCulture)).Order()];
        return LayerNumber().Replace(names[0], Ranges(numbers), 1);
    }

    // "0-3,5"
    private static string Ranges(int[] numbers)
    {
        List<string> ranges = [];
        for (int first = 0; first < numbers.Length;)
        {
            int last = first;
            while (last + 1 < numbers.Length && numbers[last + 1] == numbers[last] + 1)
                last++;
            ranges.Add(first == last ? $"{numbers[first]}" : $"{numbers[first]}-{numbers[last]}");
            first = last + 1;
        }
        return string.Join(',', ranges);
    }

    [GeneratedRegex(@"(?<=\.)[0-9]{1,6}(?=\.)", RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 1000)]
    private static partial Regex LayerNumber();
}
