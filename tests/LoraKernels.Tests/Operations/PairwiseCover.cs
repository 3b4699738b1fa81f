namespace LoraKernels.Tests.Operations;

/// <summary>
/// Few combinations of many parameters such that every pair of values of any two parameters occurs together: defects
/// mostly need one or two odd values, and the full product would take hours.
/// </summary>
internal static class PairwiseCover
{
    private const int Candidates = 24;

    /// <summary>Greedy cover, the same for the same seed.</summary>
    /// <param name="sizes">How many values each parameter has.</param>
    /// <param name="seed">Of the candidates that are drawn.</param>
    /// <returns>Rows of value indices, one per parameter.</returns>
    public static List<int[]> Create(int[] sizes, int seed)
    {
        var random = new Random(seed);
        var open = new HashSet<(int First, int FirstValue, int Second, int SecondValue)>();
        for (int first = 0; first < sizes.Length; first++)
        {
            for (int second = first + 1; second < sizes.Length; second++)
            {
                for (int i = 0; i < sizes[first]; i++)
                {
                    for (int j = 0; j < sizes[second]; j++)
                        open.Add((first, i, second, j));
                }
            }
        }

        var rows = new List<int[]>();
        while (open.Count > 0)
        {
            int[] best = [];
            int bestCovered = 0;
            for (int candidate = 0; candidate < Candidates; candidate++)
            {
                int[] row = Array.ConvertAll(sizes, random.Next);
                // One open pair is set on purpose, so that every row covers something.
                var pair = open.First();
                (row[pair.First], row[pair.Second]) = (pair.FirstValue, pair.SecondValue);
                int covered = Pairs(row).Count(open.Contains);
                if (covered > bestCovered)
                    (best, bestCovered) = (row, covered);
            }

            rows.Add(best);
            open.ExceptWith(Pairs(best));
        }

        return rows;
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
