using System.Globalization;
using System.Text;
using LoraKernels.Checkpoints;
using NUnit.Framework;

namespace LoraKernels.Tests.Checkpoints;

/// <summary>Well-formed files that hold as many things as fit, of the kinds that grow most in memory.</summary>
public sealed class AllocationTests : FolderTests
{
    private const int Things = 20_000;

    [Test]
    public void SafetensorsOfManyTinyTensors() => CheckSafetensors($$"""{{{Many(i =>
        $$"""
        "{{i}}":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}
        """)}}}""");

    [Test]
    public void SafetensorsOfManyDimensions() => CheckSafetensors($$"""{{{Many(i =>
        $$"""
        "{{i}}":{"dtype":"U8","shape":[{{string.Join(',', Enumerable.Repeat(0, 64))}}],"data_offsets":[0,0]}
        """)}}}""");

    [Test]
    public void SafetensorsOfManyStrings() => CheckSafetensors(
        $$$"""{"__metadata__":{{{{Many(i => $"\"{i}\":\"\"")}}}}}""");

    [Test]
    public void GgufOfManyKeys()
    {
        var bytes = new GgufBytes().Header(0, Things);
        for (int i = 0; i < Things; i++) bytes.Key(Text(i), 0).Raw([1]);
        CheckGguf(bytes);
    }

    [Test]
    public void GgufOfManyTensors()
    {
        var bytes = new GgufBytes().Header(Things, 0);
        for (int i = 0; i < Things; i++) bytes.Tensor(Text(i), 24, 0, 0);
        CheckGguf(bytes.Pad());
    }

    [Test]
    public void GgufOfManyStrings()
    {
        var bytes = new GgufBytes().Header(0, 1).Key("k", 9).UInt32(8).UInt64(Things);
        for (int i = 0; i < Things; i++) bytes.Text("x");
        CheckGguf(bytes);
    }

    [Test]
    public void GgufOfManyArrays()
    {
        var bytes = new GgufBytes().Header(0, 1).Key("k", 9).UInt32(9).UInt64(Things);
        for (int i = 0; i < Things; i++) bytes.UInt32(7).UInt64(0);
        CheckGguf(bytes);
    }

    [Test]
    public void IndexesOfManyShards()
    {
        string path = Folder.Write("model.safetensors.index.json",
            $$$"""{"weight_map":{{{{Many(i => $"\"{i}\":\"{i}.safetensors\"")}}}}}""");
        Check(path, () => Assert.Throws<CheckpointException>(() => Checkpoint.Open(path).Dispose()));
    }

    [Test]
    public void ConfigurationsOfManyPatterns()
    {
        PeftFolder.Write(Folder, PeftFolder.Config.Replace("\"rank_pattern\": {}",
            $"\"rank_pattern\": {{{Many(i => $"\"{i}\":2")}}}", StringComparison.Ordinal), PeftFolder.Factors());
        Check(Folder.Combine("adapter_config.json"), () => PeftAdapter.Read(Folder.Path));
    }

    [Test]
    public void ConfigurationsOfManyTokens()
    {
        PeftFolder.Write(Folder, PeftFolder.Config.Replace("[\"q_proj\", \"v_proj\"]", $"[{Many(_ => "0")}]",
            StringComparison.Ordinal), PeftFolder.Factors());
        Check(Folder.Combine("adapter_config.json"), () => PeftAdapter.Read(Folder.Path));
    }

    private void CheckSafetensors(string header)
    {
        string path = Folder.Write("m.safetensors", SafetensorsBytes.Of(header));
        Check(path, () => SafetensorsFile.Open(path).Dispose());
    }

    private void CheckGguf(GgufBytes bytes)
    {
        string path = Folder.Write("m.gguf", bytes.ToArray());
        Check(path, () => GgufFile.Open(path).Dispose());
    }

    private static void Check(string path, Action read)
    {
        long bytes = new FileInfo(path).Length;
        long before = GC.GetAllocatedBytesForCurrentThread();
        read();
        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        TestContext.Out.WriteLine($"{bytes} bytes of file, {(double)allocated / bytes:F1} times that in memory");
        Assert.That(allocated, Is.LessThan(MutationRun.AllowedBytes + MutationRun.AllowedPerByte * bytes));
    }

    private static string Many(Func<string, string> thing)
    {
        var text = new StringBuilder();
        for (int i = 0; i < Things; i++) text.Append(i == 0 ? "" : ",").Append(thing(Text(i)).Trim());
        return text.ToString();
    }

    private static string Text(int i) => i.ToString("x", CultureInfo.InvariantCulture);
}
