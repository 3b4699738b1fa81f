using System.Globalization;
using LoraKernels.EmulatedTests;
using LoraKernels.Verification;
using NUnit.Framework;
using NUnit.Framework.Interfaces;

[assembly: ScheduleOfEachTest]
[assembly: NonParallelizable]

namespace LoraKernels.EmulatedTests;

/// <summary>
/// Gives every test a schedule and an mma rounding of its own, which its output names. The environment variable
/// LORAKERNELS_SEED moves all of them on: another number tries other orders.
/// </summary>
[AttributeUsage(AttributeTargets.Assembly)]
public sealed class ScheduleOfEachTestAttribute : TestActionAttribute
{
    private static readonly ulong Rotation =
        ulong.TryParse(Environment.GetEnvironmentVariable("LORAKERNELS_SEED"), CultureInfo.InvariantCulture, out ulong seed)
            ? seed
            : 1;

    public override ActionTargets Targets => ActionTargets.Test;

    public override void BeforeTest(ITest test)
    {
        ArgumentNullException.ThrowIfNull(test);
        ulong seed = (Hash(test.FullName) ^ (Rotation * 0x9E3779B97F4A7C15)) >> 1;
        string schedule = $"seed={seed},rounding={(seed % 2 == 0 ? "truncate" : "exact")}";
        EmulatedDevice.Configure(schedule);
        TestContext.Out.WriteLine(schedule);
    }

    // FNV-1a: the same on every machine, which string.GetHashCode is not.
    private static ulong Hash(string text)
    {
        ulong hash = 0xCBF29CE484222325;
        foreach (char letter in text)
            hash = (hash ^ letter) * 0x100000001B3;
        return hash;
    }
}
