using LoraKernels.Verification;
using NUnit.Framework;

namespace LoraKernels.Tests.Operations;

/// <summary>The table of operations, on every backend present, against the reference.</summary>
[TestFixtureSource(typeof(TestDevices), nameof(TestDevices.NamesAndModes))]
public sealed class OperationTests(string deviceName) : DeviceFixture(deviceName)
{
    [TestCaseSource(typeof(VerificationSuite), nameof(VerificationSuite.Cases))]
    public void Table(VerificationCase @case)
    {
        VerificationResult result = VerificationSuite.Run(Device, @case);
        Assert.That(result.Message, Is.Null);
        Assert.That(result.Error, Is.LessThanOrEqualTo(result.Limit));
        Assert.That(result.Ok);
    }
}
