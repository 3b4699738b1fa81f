namespace LoraKernels.Verification;

/// <summary>
/// Few combinations of many factors' values such that any two values of two factors meet in one of them, if they may:
/// defects mostly need one or two odd values, and the full product would take days.
/// </summary>
/// <param name="sizes">How many values each factor has.</param>
/// <param name="mayMeet">
/// Whether a value of a factor may stand beside a value of a later one: (factor, value, later factor, its value).
/// </param>
/// <param name="seed">Of the order in which equally good values are taken: the same seed makes the same rows.</param>
internal sealed class PairwiseCover(IReadOnlyList<int> sizes, Func<int, int, int, int, bool> mayMeet, int seed)
{
    private const int Candidates = 8;
    private const int Unset = -1;

    private readonly Random _random = new(seed);
    private readonly HashSet<(int, int, int, int)> _open = [];
    private readonly List<int[]> _rows = [];

    /// <summary>Makes the rows.</summary>
    /// <param name="required">
    /// Combinations of values of the first factors that have to be there as they are; each begins a row.
    /// </param>
    /// <returns>Rows of value indices, one for each factor.</returns>
    /// <exception cref="ArgumentException">A required combination stands in no row.</exception>
    public List<int[]> Create(IEnumerable<int[]> required)
    {
        for (int first = 0; first < sizes.Count; first++)
        {
            for (int second = first + 1; second < sizes.Count; second++)
            {
                for (int i = 0; i < sizes[first]; i++)
                {
                    for (int j = 0; j < sizes[second]; j++)
                        _open.Add((first, i, second, j));
                }
            }
        }

        foreach (int[] values in required)
        {
            int[] row = NewRow();
            values.CopyTo(row, 0);
            if (!AddBest(row))
                throw new ArgumentException($"No row begins with {string.Join(", ", values)}.", nameof(required));
        }

        while (_open.Count > 0)
        {
            (int First, int FirstValue, int Second, int SecondValue) pair = _open.First();
            int[] row = NewRow();
            row[pair.First] = pair.FirstValue;
            row[pair.Second] = pair.SecondValue;
            if (!AddBest(row))
                _open.Remove(pair);
        }

        return _rows;
    }

    private int[] NewRow()
    {
        var row = new int[sizes.Count];
        Array.Fill(row, Unset);
        return row;
    }

    // Of several ways to fill the row, the one with the most new pairs.
    private bool AddBest(int[] begun)
    {
        int[]? best = null;
        int bestCovered = -1;
        for (int candidate = 0; candidate < Candidates; candidate++)
        {
            int[] row = [.. begun];
            if (!IsAllowed(row) || !Fill(row))
                return false;
            int covered = Pairs(row).Count(_open.Contains);
            if (covered > bestCovered)
                (best, bestCovered) = (row, covered);
        }

        _rows.Add(best!);
        _open.ExceptWith(Pairs(best!));
        return true;
    }

    // Sets the factors that are not set yet. False if that is impossible.
    private bool Fill(int[] row)
    {
        // The one with the fewest values left, so that a dead end shows early.
        int factor = Unset;
        List<int> values = [];
        for (int candidate = 0; candidate < sizes.Count; candidate++)
        {
            if (row[candidate] != Unset)
                continue;
            List<int> left = [.. Enumerable.Range(0, sizes[candidate]).Where(value => Fits(row, candidate, value))];
            if (left.Count == 0)
                return false;
            if (factor == Unset || left.Count < values.Count)
                (factor, values) = (candidate, left);
        }

        if (factor == Unset)
            return true;
        int[] order = [.. values];
        _random.Shuffle(order);
        foreach (int value in order.OrderByDescending(value => NewPairs(row, factor, value)))
        {
            row[factor] = value;
            if (Fill(row))
                return true;
        }

        row[factor] = Unset;
        return false;
    }

    private bool IsAllowed(int[] row) =>
        Enumerable.Range(0, row.Length).All(factor => row[factor] == Unset || Fits(row, factor, row[factor]));

    private bool Fits(int[] row, int factor, int value)
    {
        for (int other = 0; other < row.Length; other++)
        {
            if (other == factor || row[other] == Unset)
                continue;
            bool allowed = other < factor
                ? mayMeet(other, row[other], factor, value)
                : mayMeet(factor, value, other, row[other]);
            if (!allowed)
                return false;
        }

        return true;
    }

    private int NewPairs(int[] row, int factor, int value)
    {
        int count = 0;
        for (int other = 0; other < row.Length; other++)
        {
            if (other == factor || row[other] == Unset)
                continue;
            var pair = other < factor ? (other, row[other], factor, value) : (factor, value, other, row[other]);
            if (_open.Contains(pair))
                count++;
        }

        return count;
    }

    private static IEnumerable<(int, int, int, int)> Pairs(int[] row)
    {
        for (int first = 0; first < row.Length; first++)
        {
            for (int second = first + 1; second < row.Length; second++)
                yield return (first, row[first], second, row[second]);
        }
    }
}
