using System.Runtime.InteropServices;
using LoraKernels.Checkpoints;
using LoraKernels.Tests.Bindings;
using LoraKernels.Tests.Operations;
using LoraKernels.Verification;
using NUnit.Framework;

namespace LoraKernels.Tests.Formats;

/// <summary>tests/golden/checkpoints: those that nothing of the library has made, and their weights.</summary>
[TestFixtureSource(typeof(TestDevices), nameof(TestDevices.Names))]
public sealed class GoldenCheckpointTests(string deviceName) : DeviceFixture(deviceName)
{
    private static string Root { get; } = Path.Combine(Repository.Root, "tests", "golden", "checkpoints");

    private static IEnumerable<string> Folders => Directory.GetDirectories(Root)
        .Select(folder => Path.GetFileName(folder)).Where(name => !name.StartsWith('_')).Order(StringComparer.Ordinal);

    [TestCaseSource(nameof(Folders))]
    public void EveryWeightHasTheValuesOfItsProducer(string folder)
    {
        using Checkpoint checkpoint = Checkpoint.Open(Path.Combine(Root, folder));
        string[] expected = [.. Directory.GetFiles(Path.Combine(Root, folder), "*.f32")
            .Select(file => Path.GetFileNameWithoutExtension(file))];
        Assert.That(expected, Is.Not.Empty);
        Assert.That(checkpoint.Weights.Select(weight => weight.Name), Is.EquivalentTo(expected));
        foreach (WeightInfo info in checkpoint.Weights)
        {
            uint[] values = MemoryMarshal.Cast<byte, uint>(
                File.ReadAllBytes(Path.Combine(Root, folder, info.Name + ".f32"))).ToArray();
            Assert.That(Bits(ReferenceBridge.Weight(checkpoint.ReadWeight(info.Name)).Decode()), Is.EqualTo(values), info.Name);

            using QuantizedWeight weight = checkpoint.LoadWeight(info.Name, Device);
            using DeviceTensor<float> decoded = Device.Allocate<float>(info.OutFeatures, info.InFeatures);
            weight.Dequantize(decoded);
            float[] actual = new float[values.Length];
            decoded.CopyTo(actual);
            Assert.That(Bits(actual), Is.EqualTo(values), info.Name);
        }
    }

    [Test]
    public void ThereIsOneOfEveryFormatThatFilesHave()
    {
        var found = new HashSet<WeightFormat>();
        foreach (string folder in Folders)
        {
            using Checkpoint checkpoint = Checkpoint.Open(Path.Combine(Root, folder));
            found.UnionWith(checkpoint.Weights.Select(weight => weight.Format));
        }

        Assert.That(Enum.GetValues<WeightFormat>().Except(found), Is.Empty);
    }

    private static uint[] Bits(float[] values) => Array.ConvertAll(values, BitConverter.SingleToUInt32Bits);
}
