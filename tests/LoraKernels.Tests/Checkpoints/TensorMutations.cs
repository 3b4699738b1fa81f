using System.Text;
using LoraKernels.Checkpoints;

namespace LoraKernels.Tests.Checkpoints;

/// <summary>
/// Random changes to a checkpoint's tensors that a file of them can hold: types, shapes, names and contents that are wrong
/// together, though each tensor has the size that it says. They get past the file's own checks, to the readers of weights.
/// </summary>
internal static class TensorMutations
{
    private const long LargestElements = 1 << 14;

    private static readonly long[] Dimensions =
        [0, 1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 31, 32, 33, 48, 64, 96, 127, 128, 256, 1024, 4096, int.MaxValue, 1L << 32, 1L << 62, long.MaxValue];

    /// <summary>Types of which files have those, and one of every width beside.</summary>
    private static readonly TensorType[] Types =
    [
        TensorType.U8, TensorType.I8, TensorType.Bool, TensorType.F8E4M3, TensorType.F8E8M0, TensorType.F16, TensorType.BF16,
        TensorType.I16, TensorType.F32, TensorType.I32, TensorType.U32, TensorType.I64, TensorType.F64, TensorType.F4,
    ];

    /// <summary>One to three changes; every twentieth time none.</summary>
    public static List<MemoryTensor> Mutate(Random random, IReadOnlyList<MemoryTensor> original)
    {
        List<MemoryTensor> tensors = [.. original];
        if (random.Next(20) == 0) return tensors;
        for (int i = Math.Max(1, random.Next(-2, 4)); i > 0 && tensors.Count > 0; i--) Change(random, tensors);
        return tensors;
    }

    private static void Change(Random random, List<MemoryTensor> tensors)
    {
        int index = random.Next(tensors.Count);
        var tensor = tensors[index];
        switch (random.Next(12))
        {
            case 0:
                tensors.RemoveAt(index);
                break;
            case 1:
                Rename(random, tensors, index);
                break;
            case 2:
                tensors[index] = tensor with { Shape = Reshaped(random, tensor.Shape) };
                break;
            case 3 or 4:
                tensors[index] = Fit(random, tensor, tensor.Type, Resized(random, tensor.Shape));
                break;
            case 5 or 6:
                tensors[index] = Fit(random, tensor, Types[random.Next(Types.Length)], tensor.Shape);
                break;
            case 7:
                var other = tensors[random.Next(tensors.Count)];
                tensors[index] = tensor with { Type = other.Type, Shape = other.Shape, Data = other.Data };
                break;
            default:
                tensors[index] = WithOtherData(random, tensor);
                break;
        }
    }

    // Another tensor's name with something of its own, so that it is found by what looks for that, or not any more.
    private static void Rename(Random random, List<MemoryTensor> tensors, int index)
    {
        string name = tensors[index].Name;
        string other = tensors[random.Next(tensors.Count)].Name;
        string renamed = random.Next(4) switch
        {
            0 => "x" + name,
            1 => name[name.LastIndexOf('.')..],
            2 => name + ".x",
            _ => other[..(other.LastIndexOf('.') + 1)] + name[(name.LastIndexOf('.') + 1)..],
        };
        if (renamed.Length > 0 && tensors.All(t => t.Name != renamed)) tensors[index] = tensors[index] with { Name = renamed };
    }

    /// <summary>Other dimensions with the same product.</summary>
    private static long[] Reshaped(Random random, long[] shape)
    {
        if (shape.Length == 0) return [1];
        int at = random.Next(shape.Length);
        switch (random.Next(4))
        {
            case 0: // one dimension
                return [shape.Aggregate(1L, (a, b) => a * b)];
            case 1: // turned round
                return [.. shape.Reverse()];
            case 2: // one more of 1
                return [.. shape[..at], 1, .. shape[at..]];
            default: // one in two
                int factor = random.Next(2, 5);
                return shape[at] % factor == 0 ? [.. shape[..at], shape[at] / factor, factor, .. shape[(at + 1)..]] : shape;
        }
    }

    private static long[] Resized(Random random, long[] shape)
    {
        if (shape.Length == 0) return [Dimensions[random.Next(Dimensions.Length)]];
        long[] resized = [.. shape];
        int at = random.Next(resized.Length);
        resized[at] = random.Next(5) switch
        {
            0 => resized[at] + random.Next(-1, 2),
            1 => resized[at] * 2,
            2 => resized[at] / 2,
            _ => Dimensions[random.Next(Dimensions.Length)],
        };
        // With another of 0 no size is too large for a file.
        if (resized.Length > 1 && random.Next(8) == 0) resized[(at + 1) % resized.Length] = 0;
        return resized.Any(d => d < 0) ? shape : resized;
    }

    /// <summary>The tensor with as many bytes as another type or shape asks for; itself where that is too many.</summary>
    private static MemoryTensor Fit(Random random, MemoryTensor tensor, TensorType type, long[] shape)
    {
        if (TensorLayout.Count(shape) is not { } count || count > LargestElements) return tensor;
        if (TensorLayout.Of(type).Bytes(count) is not { } bytes) return tensor;
        byte[] data = new byte[bytes];
        if (random.Next(2) == 0) random.NextBytes(data);
        tensor.Data.AsSpan(0, Math.Min(tensor.Data.Length, data.Length)).CopyTo(data);
        return tensor with { Type = type, Shape = shape, Data = data };
    }

    private static MemoryTensor WithOtherData(Random random, MemoryTensor tensor)
    {
        if (tensor.Data.Length == 0) return tensor;
        if (tensor.Data[0] == '{' && tensor.Shape.Length == 1)
        {
            byte[] json = JsonMutations.Mutate(random, Encoding.UTF8.GetString(tensor.Data));
            return tensor with { Shape = [json.Length], Data = json };
        }
        byte[] data = [.. tensor.Data];
        int size = Math.Max(1, TensorLayout.Of(tensor.Type).BlockBytes);
        int at = random.Next(data.Length / size) * size;
        switch (random.Next(3))
        {
            case 0: // a number
                Span<byte> number = stackalloc byte[sizeof(ulong)];
                BitConverter.TryWriteBytes(number, ByteMutations.Number(random, data.Length));
                number[..Math.Min(sizeof(ulong), data.Length - at)].CopyTo(data.AsSpan(at));
                break;
            case 1: // a float that is none, or at an end
                ReadOnlySpan<float> floats = [float.NaN, float.PositiveInfinity, 0, -1, float.Epsilon, float.MaxValue];
                Span<byte> bits = BitConverter.GetBytes(floats[random.Next(floats.Length)]);
                bits[..Math.Min(sizeof(float), data.Length - at)].CopyTo(data.AsSpan(at));
                break;
            default: // noise
                random.NextBytes(data.AsSpan(at));
                break;
        }
        return tensor with { Data = data };
    }
}
