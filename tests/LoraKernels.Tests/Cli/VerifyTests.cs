using System.Text.Json;
using NUnit.Framework;

namespace LoraKernels.Tests.Cli;

[TestFixture]
public sealed class VerifyTests
{
    private static readonly Dictionary<string, double> Limits = new() { ["fp32"] = 1e-5, ["fp16"] = 1e-3, ["bf16"] = 8e-3 };

    [Test]
    public void JsonIsAListOfCasesWithinTheNumericContract()
    {
        CommandLine run = CommandLine.Run("verify", "--device", "cpu", "--json");
        JsonElement list = run.Json();

        Assert.That(run.ExitCode, Is.Zero, run.Output);
        Assert.That(list.GetArrayLength(), Is.GreaterThan(20));
        foreach (JsonElement row in list.EnumerateArray())
        {
            Assert.That(row.GetProperty("ok").GetBoolean(), Is.True, row.GetRawText());
            Assert.That(row.GetProperty("op").GetString(), Is.Not.Empty);
            Assert.That(row.GetProperty("device").GetString(), Is.Not.Empty);
            Assert.That(row.GetProperty("isa").GetString(), Is.Not.Empty);
            Assert.That(row.GetProperty("format").GetString(), Is.Not.Empty);
            Assert.That(row.GetProperty("shape").GetString(), Is.Not.Empty);
            double limit = row.GetProperty("limit").GetDouble();
            Assert.That(row.GetProperty("error").GetDouble(), Is.LessThanOrEqualTo(limit));
            if (Limits.TryGetValue(row.GetProperty("dtype").GetString()!, out double allowed))
                Assert.That(limit, Is.LessThanOrEqualTo(allowed));
        }
    }

    [Test]
    public void SeedsAreForTheEmulatedDevice()
    {
        CommandLine run = CommandLine.Run("verify", "--device", "cpu", "--seeds", "2");

        Assert.That(run.ExitCode, Is.EqualTo(2));
        Assert.That(run.Error, Does.Contain("--seeds").And.Contain("--device emulated"));
    }

    [Test]
    public void ACancelledRunExitsWith130AndPrintsNoResult()
    {
        CommandLine run = CommandLine.Run(new CancellationToken(canceled: true), "verify", "--json");

        Assert.That(run.ExitCode, Is.EqualTo(130));
        Assert.That(run.Output, Is.Empty);
    }
}
