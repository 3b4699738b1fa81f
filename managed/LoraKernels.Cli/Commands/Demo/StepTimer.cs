using System.Diagnostics;

namespace LoraKernels.Cli.Commands.Demo;

/// <summary>A way to run a step, and how long it takes.</summary>
internal sealed record TimedStep(string Name, Action Run);

/// <summary>
/// Times several ways to do a step in turns, so that a machine that slows down slows all of them, and takes each one's
/// median.
/// </summary>
internal static class StepTimer
{
    private const int MostRounds = 25;

    /// <summary>
    /// Runs as many rounds as fit into <paramref name="budget"/>; <paramref name="wantedRounds"/> even if they take up to
    /// <paramref name="ceiling"/>; one in any case.
    /// </summary>
    /// <returns>The median of each step, in their order, and how many rounds there were.</returns>
    public static (TimeSpan[] Medians, int Rounds) Measure(
        IReadOnlyList<TimedStep> steps,
        int wantedRounds,
        TimeSpan budget,
        TimeSpan ceiling,
        Action<string, double> progress,
        CancellationToken cancellation)
    {
        List<TimeSpan>[] times = [.. steps.Select(static _ => new List<TimeSpan>())];
        Stopwatch total = Stopwatch.StartNew();
        int round = 0;
        while (round == 0 || (round < MostRounds
            && total.Elapsed * (round + 1) / round < (round < wantedRounds ? ceiling : budget)))
        {
            for (int i = 0; i < steps.Count; i++)
            {
                cancellation.ThrowIfCancellationRequested();
                progress(steps[i].Name, (double)((round * steps.Count) + i) / (Math.Max(wantedRounds, round + 1) * steps.Count));
                long start = Stopwatch.GetTimestamp();
                steps[i].Run();
                times[i].Add(Stopwatch.GetElapsedTime(start));
            }
            round++;
        }
        return ([.. times.Select(Median)], round);
    }

    private static TimeSpan Median(List<TimeSpan> times)
    {
        times.Sort();
        int middle = times.Count / 2;
        return times.Count % 2 == 1 ? times[middle] : (times[middle - 1] + times[middle]) / 2;
    }
}
