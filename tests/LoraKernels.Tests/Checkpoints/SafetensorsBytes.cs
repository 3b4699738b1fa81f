using System.Buffers.Binary;
using System.Text;
using System.Text.Json;
using LoraKernels.Checkpoints;

namespace LoraKernels.Tests.Checkpoints;

/// <summary>Safetensors files byte by byte, from the format's definition and nothing of ours.</summary>
internal static class SafetensorsBytes
{
    public static byte[] Of(string header, params byte[] data) => Of(Encoding.UTF8.GetBytes(header), data);

    public static byte[] Of(byte[] header, byte[] data)
    {
        byte[] file = new byte[8 + header.Length + data.Length];
        BinaryPrimitives.WriteUInt64LittleEndian(file, (ulong)header.Length);
        header.CopyTo(file, 8);
        data.CopyTo(file, 8 + header.Length);
        return file;
    }

    /// <summary>A file of these tensors, one after the other.</summary>
    public static byte[] Of(IEnumerable<MemoryTensor> tensors)
    {
        using var data = new MemoryStream();
        using var header = new MemoryStream();
        using (var json = new Utf8JsonWriter(header, new JsonWriterOptions { SkipValidation = true }))
        {
            json.WriteStartObject();
            foreach (var tensor in tensors)
            {
                json.WriteStartObject(tensor.Name);
                json.WriteString("dtype", TensorLayout.Of(tensor.Type).SafetensorsName);
                json.WriteStartArray("shape");
                foreach (long dimension in tensor.Shape) json.WriteNumberValue(dimension);
                json.WriteEndArray();
                json.WriteStartArray("data_offsets");
                json.WriteNumberValue(data.Length);
                data.Write(tensor.Data);
                json.WriteNumberValue(data.Length);
                json.WriteEndArray();
                json.WriteEndObject();
            }
            json.WriteEndObject();
        }
        return Of(header.ToArray(), data.ToArray());
    }

    /// <summary>Data with a different value in every byte of a small file.</summary>
    public static byte[] Data(int count)
    {
        byte[] data = new byte[count];
        for (int i = 0; i < count; i++) data[i] = (byte)(i * 7 + 3);
        return data;
    }
}
