using System.Buffers.Binary;
using System.Text;

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

    /// <summary>Data with a different value in every byte of a small file.</summary>
    public static byte[] Data(int count)
    {
        byte[] data = new byte[count];
        for (int i = 0; i < count; i++) data[i] = (byte)(i * 7 + 3);
        return data;
    }
}
