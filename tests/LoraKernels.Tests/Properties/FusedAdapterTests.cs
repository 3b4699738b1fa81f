using LoraKernels.Tests.Api;
using NUnit.Framework;

namespace LoraKernels.Tests.Properties;

/// <summary>An adapter of a fused layer as a whole is the adapters of its slices.</summary>
public sealed class FusedAdapterTests
{
    private const int Rows = 3;
    private const int InFeatures = 64;
    private static readonly (string Name, int Offset, int Size)[] Slices = [("gate", 0, 20), ("up", 20, 13), ("last", 33, 7)];

    [Test]
    public void ItComputesWhatItsSlicesCompute()
    {
        const int rank = 5, outFeatures = 40;
        using Device device = Device.OpenCpu();
        using QuantizedWeight weight = Sample.Weight(device, outFeatures, InFeatures);
        using var table = new LoraTable(
            device, [new LoraModule("fused", InFeatures, outFeatures, [.. Slices.Select(s => new OutputSlice(s.Name, s.Offset, s.Size))])]);
        float[] a = Sample.Values(rank * InFeatures, 3), b = Sample.Values(outFeatures * rank, 4);
        HostMatrix hostA = HostMatrix.From(a, rank, InFeatures);
        var whole = new LoraAdapter("whole", [new LoraFactors("fused", hostA, HostMatrix.From(b, outFeatures, rank), 0.5f)]);
        var parts = new LoraAdapter("parts", Slices.Select(s => new LoraFactors(
            s.Name, hostA, HostMatrix.From(b.AsSpan(s.Offset * rank, s.Size * rank).ToArray(), s.Size, rank), 0.5f)));
        using LoadedAdapter first = table.Add(whole);
        using LoadedAdapter second = table.Add(parts);

        Assert.That(Run(first), Is.EqualTo(Run(second)));
        Assert.That(Run(first), Is.Not.EqualTo(Run(null)));

        float[] Run(LoadedAdapter? adapter)
        {
            using LoraBatch batch = table.CreateBatch(LoraBatchCapacity.ForRows(Rows, 16, 3));
            batch.Set([adapter, adapter, null]);
            using DeviceTensor<float> x = device.Upload<float>(Sample.Values(Rows * InFeatures, 9), Rows, InFeatures);
            using DeviceTensor<float> y = device.Allocate<float>(Rows, outFeatures);
            new Linear(weight, "fused").Forward(x, batch, y);
            return y.ToArray();
        }
    }
}
