using LoraKernels.Checkpoints;
using LoraKernels.Cli.Commands.Demo;
using NUnit.Framework;

namespace LoraKernels.Tests.Cli;

/// <summary>The demo's check notices what can go wrong in a batch of many adapters.</summary>
[TestFixture]
public sealed class RowCheckerTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private Device _device = null!;
    private Checkpoint _checkpoint = null!;
    private DecoderLayer _layer = null!;
    private AdapterSet _adapters = null!;
    private LayerBenchmark<float> _benchmark = null!;
    private int[] _mix = null!;

    [OneTimeSetUp]
    public void RunABatch()
    {
        DemoFiles files = TinyFiles.Write(_folder.Path);
        _device = Device.OpenCpu();
        _checkpoint = Checkpoint.Open(files.Model);
        _layer = DecoderLayer.Load(_checkpoint, 0, _device, static (_, _) => { }, CancellationToken.None);
        _adapters = AdapterSet.Load(
            files.Adapters, _checkpoint, _layer, _device, anyBase: false, static (_, _) => { }, CancellationToken.None);
        _mix = RequestMix.Mixed(16, _adapters.Used.Count, seed: 1);
        _benchmark = new LayerBenchmark<float>(_device, _layer, _adapters, _mix, ActivationType.Float32);
        _benchmark.RunMixed();
    }

    public void Dispose()
    {
        _benchmark?.Dispose();
        _adapters?.Dispose();
        _layer?.Dispose();
        _checkpoint?.Dispose();
        _device?.Dispose();
        _folder.Dispose();
    }

    [Test]
    public void RightOutputsPass()
    {
        RowCheck check = Check(_mix, _benchmark.Together.Output);

        Assert.That(check.Ok, Is.True);
        Assert.That(check.Checked, Is.EqualTo(16 * 7));
    }

    [Test]
    public void TwoRowsWithEachOthersAdaptersAreNoticedInEveryLinear()
    {
        int[] swapped = [.. _mix];
        int one = Array.FindIndex(swapped, static adapter => adapter != RequestMix.None);
        int other = Array.FindLastIndex(swapped, static adapter => adapter != RequestMix.None);
        (swapped[one], swapped[other]) = (swapped[other], swapped[one]);

        Assert.That(Check(swapped, _benchmark.Together.Output).OverLimit, Is.EqualTo(2 * 7));
    }

    [Test]
    public void AnAdapterOnAPlainRowIsNoticed()
    {
        int[] served = [.. _mix];
        served[Array.IndexOf(served, RequestMix.None)] = 0;

        Assert.That(Check(served, _benchmark.Together.Output).OverLimit, Is.EqualTo(7));
    }

    [TestCase(float.NaN)]
    [TestCase(float.PositiveInfinity)]
    public void ANonFiniteOutputIsTheWorstRow(float value)
    {
        LayerLinear last = _layer.Linears[^1];
        float[] Spoiled(LayerLinear linear)
        {
            float[] y = _benchmark.Together.Output(linear);
            if (linear == last)
                y[(5 * linear.OutFeatures) + 3] = value;
            return y;
        }

        RowCheck check = Check(_mix, Spoiled);

        Assert.That(check.OverLimit, Is.EqualTo(1));
        Assert.That(check.WorstRow, Is.EqualTo(5));
        Assert.That(check.WorstLinear, Is.EqualTo(last.Name));
        Assert.That(double.IsFinite(check.WorstError), Is.False);
    }

    private RowCheck Check(int[] mix, Func<LayerLinear, float[]> outputs) => RowChecker.Check(
        _checkpoint,
        _layer.Linears,
        Array.ConvertAll(mix, adapter => adapter == RequestMix.None ? null : _adapters.Used[adapter].Host),
        _benchmark.Together.Input,
        outputs,
        ActivationType.Float32.Limit,
        static (_, _) => { },
        CancellationToken.None);
}
