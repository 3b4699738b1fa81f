using LoraKernels.Verification;
using NUnit.Framework;

namespace LoraKernels.Tests.Operations;

/// <summary>The table leaves nothing out, and its runner reports what it did.</summary>
[TestFixture]
public sealed class VerificationSuiteTests
{
    private static readonly string[] DTypes = ["float32", "float16", "bfloat16"];
    private static readonly string[] Formats =
    [
        "nf4", "nf4-nested", "fp4", "fp4-nested", "q4_0", "q4_1", "iq4_nl", "q4_k", "int4", "int4-zero-points",
        "int4-act-order", "mxfp4", "nvfp4", "nvfp4-divided",
    ];

    [Test]
    public void EveryOpIsThereInEveryTypeAndFormat()
    {
        HashSet<(string, string, string)> present =
            [.. VerificationSuite.Cases.Select(@case => (@case.OpName, @case.DTypeName, @case.FormatName))];
        var missing = new List<(string, string, string)>();
        foreach (string format in Formats)
        {
            Require("pack", "none", format);
            foreach (string dtype in DTypes)
            {
                foreach (string op in (string[])["dequantize", "matmul", "matmul_bias", "linear"])
                    Require(op, dtype, format);
                if (format is "nf4" or "nf4-nested")
                    Require("quantize", dtype, format);
            }
        }

        foreach (string dtype in DTypes)
        {
            foreach (string op in (string[])["lora_shrink", "lora_expand", "lora_apply"])
                Require(op, dtype, "none");
        }

        Assert.That(missing, Is.Empty);

        void Require(string op, string dtype, string format)
        {
            if (!present.Contains((op, dtype, format)))
                missing.Add((op, dtype, format));
        }
    }

    [Test]
    public void LimitsAreThoseOfTheNumericContract()
    {
        foreach (VerificationCase @case in VerificationSuite.Cases)
        {
            double expected = @case.OpName is "pack" or "dequantize" or "quantize"
                ? 0
                : @case.OpName == "lora_shrink" ? 1e-5
                : @case.DTypeName switch { "float32" => 1e-5, "float16" => 1e-3, _ => 8e-3 };
            Assert.That(@case.Limit, Is.EqualTo(expected), @case.ToString());
        }
    }

    [Test]
    public void ResultsComeInOrderWithProgressAndTheFilterHolds()
    {
        using Device device = Device.Open("cpu:portable");
        var seen = new List<VerificationProgress>();
        IReadOnlyList<VerificationResult> results = VerificationSuite.Run(
            device, new Recorder(seen), @case => @case.Op == VerificationOp.Dequantize);

        Assert.That(results, Has.Count.EqualTo((13 * 2 + 1) * 3), "formats, K with broken groups but for q4_k, types");
        Assert.That(results.Select(result => result.Op), Is.All.EqualTo("dequantize"));
        Assert.That(results.Select(result => result.Isa), Is.All.EqualTo("portable"));
        Assert.That(seen.Select(progress => progress.Last), Is.EqualTo(results));
        Assert.That(seen[^1].Done, Is.EqualTo(seen[^1].Total));
    }

    [Test]
    public void ACaseThatTheLibraryRefusesIsAFailedResult()
    {
        using Device device = Device.Open("cpu:portable");
        VerificationResult result = VerificationSuite.Run(
            device,
            new VerificationCase
            {
                Op = VerificationOp.Dequantize,
                Format = VerificationFormat.Nf4,
                GroupSize = 48,
                OutFeatures = 4,
                InFeatures = 64,
            });

        Assert.That(result.Ok, Is.False);
        Assert.That(result.Message, Does.Contain("48"));
        Assert.That(result.Error, Is.EqualTo(VerificationError.Unbounded));
    }

    [Test]
    public void ACancelledRunStops()
    {
        using Device device = Device.Open("cpu:portable");
        using var source = new CancellationTokenSource();
        source.Cancel();
        Assert.That(
            () => VerificationSuite.Run(device, cancellation: source.Token),
            Throws.InstanceOf<OperationCanceledException>());
    }

    [Test]
    public void AwkwardCasesCoverEveryPairOfValues()
    {
        int[] sizes = [3, 17, 5, 2, 8];
        List<int[]> rows = PairwiseCover.Create(sizes, 1);
        for (int a = 0; a < sizes.Length; a++)
        {
            for (int b = a + 1; b < sizes.Length; b++)
            {
                int pairs = rows.Select(row => (row[a], row[b])).Distinct().Count();
                Assert.That(pairs, Is.EqualTo(sizes[a] * sizes[b]), $"parameters {a} and {b}");
            }
        }

        Assert.That(rows, Has.Count.LessThan(sizes.Aggregate(1, (x, y) => x * y) / 10));
    }

    private sealed class Recorder(List<VerificationProgress> seen) : IProgress<VerificationProgress>
    {
        public void Report(VerificationProgress value) => seen.Add(value);
    }
}
