using LoraKernels.Verification;
using NUnit.Framework;

namespace LoraKernels.Tests.Operations;

/// <summary>Every format in every group size and type, on every backend present: dequantized to the reference's bits.</summary>
[TestFixtureSource(typeof(TestDevices), nameof(TestDevices.Names))]
public sealed class FormatTableTests(string deviceName) : DeviceFixture(deviceName)
{
    [TestCaseSource(typeof(FormatTable), nameof(FormatTable.Cases))]
    public void HoldsItsLimit(VerificationCase @case)
    {
        VerificationResult result = VerificationSuite.Run(Device, @case);
        Assert.That(result.Message, Is.Null);
        Assert.That(result.Limit == 0, Is.EqualTo(@case.Op == VerificationOp.Dequantize));
        Assert.That(result.Error, Is.LessThanOrEqualTo(result.Limit));
        Assert.That(result.Ok);
    }
}
