using LoraKernels.Verification;
using NUnit.Framework;

namespace LoraKernels.Tests.Operations;

/// <summary>The runner of the table reports what it did.</summary>
[TestFixture]
public sealed class VerificationSuiteTests
{
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

        Assert.That(results, Is.Not.Empty);
        Assert.That(
            results, Has.Count.EqualTo(VerificationSuite.Cases.Count(@case => @case.Op == VerificationOp.Dequantize)));
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

    private sealed class Recorder(List<VerificationProgress> seen) : IProgress<VerificationProgress>
    {
        public void Report(VerificationProgress value) => seen.Add(value);
    }
}
