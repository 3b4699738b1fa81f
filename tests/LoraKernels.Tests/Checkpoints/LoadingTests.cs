using LoraKernels.Checkpoints;
using LoraKernels.Verification;
using NUnit.Framework;

namespace LoraKernels.Tests.Checkpoints;

/// <summary>Loading many weights: in parallel, with progress, cancellable; fused and in slices; from files that change.</summary>
public sealed class LoadingTests : FolderTests
{
    private const int Layers = 12;

    private static string Name(int layer, string projection = "q_proj") => $"model.layers.{layer}.self_attn.{projection}";

    [Test]
    public async Task LoadsAllWithProgressAndTheSameBytes()
    {
        using var device = Device.Open("cpu:portable");
        using var checkpoint = WriteModel();
        var seen = new List<LoadProgress>();
        using var weights = await checkpoint.LoadAllAsync(device, new LoadOptions
        {
            MaxParallelism = 3,
            Progress = new Recorder(seen),
        });
        Assert.That(weights.Keys, Is.EquivalentTo(checkpoint.Weights.Select(w => w.Name)));
        Assert.That(weights.PackedBytes, Is.EqualTo(weights.Values.Sum(w => w.PackedBytes)));
        foreach (var (name, weight) in weights)
        {
            var expected = checkpoint.ReadWeight(name);
            var actual = weight.Unpack();
            Assert.That(actual.Codes.ToArray(), Is.EqualTo(expected.Codes.ToArray()), name);
            Assert.That(actual.Scales.ToArray(), Is.EqualTo(expected.Scales.ToArray()), name);
            Assert.That(actual.ZeroPoints.ToArray(), Is.EqualTo(expected.ZeroPoints.ToArray()), name);
        }
        Assert.That(seen.Select(p => p.Weights), Is.EqualTo(Enumerable.Range(1, Layers)));
        Assert.That(seen[^1].Bytes, Is.EqualTo(seen[^1].TotalBytes).And.EqualTo(checkpoint.Weights.Sum(w => w.Bytes)));
        Assert.That(seen.Select(p => p.Name), Is.EquivalentTo(weights.Keys));
    }

    [Test]
    public async Task LoadsSlicesOfEachWeight()
    {
        using var device = Device.Open("cpu:portable");
        using var checkpoint = WriteModel();
        using var weights = await checkpoint.LoadAsync([Name(3), Name(5)], device, new LoadOptions
        {
            Slice = info => info.Name == Name(3) ? WeightSlice.Columns(64, 64) : null,
        });
        Assert.That((weights[Name(3)].OutFeatures, weights[Name(3)].InFeatures), Is.EqualTo((32, 64)));
        Assert.That((weights[Name(5)].OutFeatures, weights[Name(5)].InFeatures), Is.EqualTo((32, 128)));
        using var single = checkpoint.LoadWeight(Name(3), device, slice: WeightSlice.Columns(64, 64));
        Assert.That(single.Unpack().Codes.ToArray(), Is.EqualTo(weights[Name(3)].Unpack().Codes.ToArray()));
        Assert.That(
            () => checkpoint.LoadAllAsync(device, new LoadOptions { Slice = _ => WeightSlice.Columns(1, 5) }),
            Throws.ArgumentException.With.Message.Contains("multiples of 64"));
    }

    [Test]
    public void LoadsFusedLayersWithTheirSlices()
    {
        using var device = Device.Open("cpu:portable");
        using var checkpoint = WriteModel();
        string[] parts = [Name(0), Name(1), Name(2)];
        using var fused = checkpoint.LoadFused("qkv_proj", parts, device);
        Assert.That(fused.Module.Slices, Is.EqualTo((OutputSlice[])
            [new(parts[0], 0, 32), new(parts[1], 32, 32), new(parts[2], 64, 32)]));
        Assert.That((fused.Module.Name, fused.Module.OutFeatures, fused.Module.InFeatures), Is.EqualTo(("qkv_proj", 96, 128)));
        float[] expected = [.. parts.SelectMany(p => ReferenceBridge.Weight(checkpoint.ReadWeight(p)).Decode())];
        using var values = device.Allocate<float>(96, 128);
        fused.Weight.Dequantize(values);
        float[] actual = new float[expected.Length];
        values.CopyTo(actual);
        Assert.That(actual, Is.EqualTo(expected));
        Refusals.Expect(() => checkpoint.LoadFused("x", [Name(0), "y"], device), Folder.Combine("model.safetensors"), "y", "no such");
    }

    [Test]
    public void RefusesToFuseWhatDiffers()
    {
        using var device = Device.Open("cpu:portable");
        string path = Folder.Combine("model.safetensors");
        SafetensorsWriter.Write(path, [.. Gptq(1), .. KindFiles.PackQuantized()]);
        using var checkpoint = Checkpoint.Open(path);
        Refusals.Expect(() => checkpoint.LoadFused("qkv", [Name(1), KindFiles.Layer], device), path, "qkv", "Int4Packed", "Gptq");
    }

    [Test]
    public void ACancelledLoadLeavesNothing()
    {
        using var device = Device.Open("cpu:portable");
        using var checkpoint = WriteModel();
        long before = LoraKernelsLibrary.LiveHandles;
        using var cancellation = new CancellationTokenSource();
        var progress = new Recorder([], p => { if (p.Weights == 3) cancellation.Cancel(); });
        Assert.That(
            () => checkpoint.LoadAllAsync(
                device, new LoadOptions { Progress = progress, MaxParallelism = 2 }, cancellation.Token),
            Throws.InstanceOf<OperationCanceledException>());
        Assert.That(LoraKernelsLibrary.LiveHandles, Is.EqualTo(before));
    }

    [TestCase(true), TestCase(false)]
    public void AFileThatChangesWhileItIsLoadedIsNamed(bool truncated)
    {
        using var device = Device.Open("cpu:portable");
        using var checkpoint = WriteModel();
        long before = LoraKernelsLibrary.LiveHandles;
        string path = Folder.Combine("model.safetensors");
        var progress = new Recorder([], p =>
        {
            if (p.Weights != 2) return;
            using var file = new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
            if (truncated) file.SetLength(file.Length / 8);
            else file.Write([1, 2, 3]);
            file.Flush();
            File.SetLastWriteTimeUtc(path, DateTime.UtcNow.AddMinutes(1));
        });
        var error = Assert.ThrowsAsync<CheckpointException>(
            () => checkpoint.LoadAllAsync(device, new LoadOptions { Progress = progress, MaxParallelism = 1 }))!;
        Assert.That(error.File, Is.EqualTo(path));
        Assert.That(error.Reason, Does.Contain(truncated ? "cut short or replaced" : "written to since"));
        Assert.That(LoraKernelsLibrary.LiveHandles, Is.EqualTo(before));
    }

    [Test]
    public void RefusesNamesThatAreWrong()
    {
        using var device = Device.Open("cpu:portable");
        using var checkpoint = WriteModel();
        Assert.That(() => checkpoint.LoadAsync([Name(0), Name(0)], device),
            Throws.ArgumentException.With.Message.Contains("2 times"));
        Assert.That(() => checkpoint.LoadAsync(["absent"], device), Throws.InstanceOf<CheckpointException>());
        Assert.That(() => checkpoint.LoadAllAsync(device, new LoadOptions { MaxParallelism = 0 }),
            Throws.InstanceOf<ArgumentOutOfRangeException>());
    }

    private Checkpoint WriteModel()
    {
        string path = Folder.Combine("model.safetensors");
        SafetensorsWriter.Write(path, Enumerable.Range(0, Layers).SelectMany(Gptq));
        return Checkpoint.Open(path);
    }

    // [32, 128] in groups of 64.
    private static SafetensorsEntry[] Gptq(int layer)
    {
        var random = new Random(layer);
        byte[] Random(int count)
        {
            byte[] bytes = new byte[count];
            random.NextBytes(bytes);
            return bytes;
        }
        byte[] scales = [.. Enumerable.Range(0, 64).SelectMany(i => BitConverter.GetBytes((Half)(0.5f + 0.01f * i + layer)))];
        return
        [
            new(Name(layer) + ".qweight", TensorType.I32, [16, 32], Random(2048)),
            new(Name(layer) + ".qzeros", TensorType.I32, [2, 4], Random(32)),
            new(Name(layer) + ".scales", TensorType.F16, [2, 32], scales),
        ];
    }

    private sealed class Recorder(List<LoadProgress> seen, Action<LoadProgress>? also = null) : IProgress<LoadProgress>
    {
        public void Report(LoadProgress value)
        {
            seen.Add(value);
            also?.Invoke(value);
        }
    }
}
