using System.Globalization;
using LoraKernels.Checkpoints;
using LoraKernels.Native;
using NUnit.Framework;

namespace LoraKernels.Tests.Checkpoints;

/// <summary>Reads many damaged files and holds every reader to the same promise.</summary>
internal static class MutationRun
{
    /// <summary>
    /// What a reader may allocate besides the file's size: its 64 KiB read buffer, an exception with its stack trace, and
    /// the tests' own reading of the result.
    /// </summary>
    public const long AllowedBytes = 256 << 10;

    /// <summary>
    /// What a byte of a file may become in memory: a byte of UTF-8 two of a string; the shortest entry of a header (10 to
    /// 50 bytes) an object, its name, its shape and its places in lists and tables that doubled while they grew; a JSON
    /// token of two bytes a row of twelve, in an array twice as long.
    /// </summary>
    public const long AllowedPerByte = 32;

    /// <summary>What a native object costs in these tests, which keep the stack trace of where each was made.</summary>
    public const long AllowedPerObject = 48 << 10;

    /// <summary>The automaton of a regular expression, of which a configuration may have some, and .NET makes it as it matches.</summary>
    public const long AllowedPerExpression = 512 << 10;

    /// <summary>
    /// A long run: with <c>LORAKERNELS_FUZZ=1000000</c> each test executes that many mutations, each of them in time.
    /// </summary>
    private static readonly int? LongRun =
        int.TryParse(Environment.GetEnvironmentVariable("LORAKERNELS_FUZZ"), CultureInfo.InvariantCulture, out int count) && count > 0
            ? count
            : null;

    /// <summary>How many mutations a test executes that executes <paramref name="count"/> in the suite.</summary>
    public static int Executions(int count) => LongRun ?? count;

    /// <summary>
    /// Runs <paramref name="count"/> mutations, each from a seed of its own. A mutation must either be read, or be refused
    /// by a <see cref="CheckpointException"/> that names a file and a reason; in either case without allocating more than
    /// the files' size allows.
    /// </summary>
    /// <remarks>
    /// The mutations must be worth something: some are read, and the others refused for at least
    /// <paramref name="leastReasons"/> different reasons, so that not all of them end at the reader's first check.
    /// <paramref name="make"/> gives the size of what is to be read; <paramref name="alsoAllowed"/> may be allocated whatever that is.
    /// </remarks>
    public static void Check(
        int firstSeed, int count, int leastReasons, Func<Random, long> make, Action read, long alsoAllowed = 0)
    {
        count = Executions(count);
        int refused = 0;
        var reasons = new HashSet<string>(StringComparer.Ordinal);
        using var watchdog = Watch("mutations");
        var clock = ThreadClock.OfThisThread();
        TimeSpan began = clock.Time;
        for (int seed = firstSeed; seed < firstSeed + count; seed++)
        {
            long bytes = make(new Random(seed));
            watchdog?.Begin(seed);
            long before = GC.GetAllocatedBytesForCurrentThread();
            try
            {
                read();
            }
            catch (CheckpointException e)
            {
                refused++;
                reasons.Add(Kind(e.Reason));
                if (e.File.Length == 0 || e.Reason.Length == 0 || !e.Message.Contains(e.File, StringComparison.Ordinal)
                    || e.Message.Length > 2000)
                    Assert.Fail($"seed {seed}: a poor message: {e.Message}");
            }
            catch (Exception e) when (e is not AssertionException)
            {
                Assert.Fail($"seed {seed}: {e}");
            }
            long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            watchdog?.End();
            long allowed = AllowedBytes + AllowedPerByte * bytes + alsoAllowed;
            if (allocated > allowed)
                Assert.Fail($"seed {seed}: {allocated} bytes were allocated for files of {bytes}; allowed are {allowed}");
        }
        TestContext.Out.WriteLine($"{count} mutations from seed {firstSeed} in {(clock.Time - began).TotalSeconds:F0} s of this "
            + $"thread, {refused} refused for {reasons.Count} reasons");
        Assert.Multiple(() =>
        {
            Assert.That(refused, Is.LessThan(count), "some are read");
            Assert.That(reasons, Has.Count.AtLeast(leastReasons));
        });
    }

    /// <summary>In a long run, fails if an execution takes longer than it may, and ends the process if it does not end.</summary>
    public static Watchdog? Watch(string run)
    {
        if (LongRun is null) return null;
        // The stack traces of millions of objects would take most of the time; how many are alive is counted all the same.
        HandleTracker.Enabled = false;
        return new Watchdog(run);
    }

    /// <summary>A reason without the names and numbers in it.</summary>
    private static string Kind(string reason)
    {
        string[] words = reason.Split(' ', 8);
        return string.Join(' ', words.Take(7).Where(w => w.All(c => char.IsAsciiLetter(c))));
    }

    /// <summary>Every tensor lies inside the file, apart from the others, and reads as the file's own bytes.</summary>
    public static void CheckTensors(IReadOnlyList<TensorInfo> tensors, Func<string, byte[]> read)
    {
        long end = 0;
        foreach (var tensor in tensors.OrderBy(t => t.Offset).ThenBy(t => t.Bytes))
        {
            if (tensor.Offset < end || tensor.Bytes < 0)
                Assert.Fail($"{tensor.Name} at {tensor.Offset} begins before {end}");
            end = tensor.Offset + tensor.Bytes;
            if (end > new FileInfo(tensor.File).Length) Assert.Fail($"{tensor.Name} ends at {end}, outside the file");
            var bytes = File.ReadAllBytes(tensor.File).AsSpan((int)tensor.Offset, (int)tensor.Bytes);
            if (!bytes.SequenceEqual(read(tensor.Name))) Assert.Fail($"{tensor.Name} is not the file's bytes");
        }
    }
}
