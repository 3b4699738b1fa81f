using System.Buffers.Binary;
using System.Runtime.InteropServices;
using LoraKernels.Checkpoints;
using NUnit.Framework;

namespace LoraKernels.Tests.Checkpoints;

/// <summary>From a file's bytes to numbers on a device.</summary>
public sealed class CheckpointToDeviceTests : FolderTests
{
    [Test]
    public void LoadsNf4WithTheFilesOwnMap()
    {
        // [2, 16] in one group of 32: the codes 0 ... 15 twice, high nibble first; map entry q is q + 0.5, absmax 2.
        byte[] codes = new byte[16];
        for (int i = 0; i < 16; i++) codes[i] = (byte)((2 * i % 16 << 4) | (2 * i % 16 + 1));
        float[] map = [.. Enumerable.Range(0, 16).Select(q => q + 0.5f)];
        string path = Folder.Combine("model.safetensors");
        SafetensorsWriter.Write(path,
        [
            new("m.weight", TensorType.U8, [16, 1], codes),
            new("m.weight.absmax", TensorType.F32, [1], BitConverter.GetBytes(2f)),
            new("m.weight.quant_map", TensorType.F32, [16], MemoryMarshal.AsBytes(map.AsSpan()).ToArray()),
            new("m.weight.quant_state.bitsandbytes__nf4", TensorType.U8, [70],
                """{"quant_type":"nf4","blocksize":32,"dtype":"float16","shape":[2,16]}  """u8.ToArray()),
        ]);
        using var checkpoint = Checkpoint.Open(path);
        using var device = Device.Open("cpu");
        using var weight = checkpoint.LoadWeight("m", device);
        using var values = device.Allocate<float>(2, 16);
        weight.Dequantize(values);
        float[] row = [.. Enumerable.Range(0, 16).Select(q => 2 * q + 1f)];
        Assert.That(values.ToArray(), Is.EqualTo(row.Concat(row)));
    }

    [Test]
    public void LoadsQ40()
    {
        // [2, 32]: scales 0.5 and -2; byte j holds the elements j (low) and j + 16 (high).
        byte[] blocks = new byte[36];
        BinaryPrimitives.WriteHalfLittleEndian(blocks, (Half)0.5f);
        BinaryPrimitives.WriteHalfLittleEndian(blocks.AsSpan(18), (Half)(-2f));
        for (int j = 0; j < 16; j++) blocks[2 + j] = blocks[20 + j] = (byte)(j | (15 - j << 4));
        string path = Folder.Write("model.gguf",
            new GgufBytes().Header(1, 0).Tensor("m.weight", 2, 0, 32, 2).Pad().Raw(blocks).ToArray());
        using var checkpoint = Checkpoint.Open(path);
        using var device = Device.Open("cpu");
        using var weight = checkpoint.LoadWeight("m", device);
        using var values = device.Allocate<float>(2, 32);
        weight.Dequantize(values);
        float[] codes = [.. Enumerable.Range(0, 16).Select(j => j - 8f), .. Enumerable.Range(0, 16).Select(j => 7f - j)];
        Assert.That(values.ToArray(), Is.EqualTo(codes.Select(q => 0.5f * q).Concat(codes.Select(q => -2 * q))));
    }

    [Test]
    public void AnAdapterFitsTheCheckpointItWasTrainedOn()
    {
        SafetensorsWriter.Write(Folder.Combine("model.safetensors"), Nf4Files.Plain());
        Folder.Write("config.json", """{"_name_or_path": "mistralai/Mistral-7B-v0.1"}""");
        PeftFolder.Write(Folder, PeftFolder.Config,
            [PeftFolder.Factor("q_proj.lora_A.weight", 2, 48), PeftFolder.Factor("q_proj.lora_B.weight", 6, 2)]);
        using var checkpoint = Checkpoint.Open(Folder.Path);
        using var device = Device.Open("cpu");
        using var table = new LoraTable(device, checkpoint.LoraModules(), checkpoint.BaseModelName);
        using (var adapter = table.Add(PeftAdapter.Read(Folder.Path))) Assert.That(adapter.Id, Is.Positive);

        PeftFolder.Write(Folder, PeftFolder.Config, [PeftFolder.Factor("v_proj.lora_A.weight", 2, 48),
            PeftFolder.Factor("v_proj.lora_B.weight", 6, 2)]);
        var misfit = PeftAdapter.Read(Folder.Path);
        var error = Assert.Throws<AdapterMismatchException>(() => table.Add(misfit).Dispose())!;
        Assert.That(error.Mismatches.Single(), Does.Contain("v_proj"));
    }
}
