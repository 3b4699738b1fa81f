using System.Buffers.Binary;

namespace LoraKernels.Checkpoints;

/// <summary>Single numbers that checkpoints keep in tensors of their own.</summary>
internal static class Scalars
{
    /// <summary>A tensor's scale: one float, finite and above 0.</summary>
    /// <exception cref="CheckpointException">Anything else.</exception>
    public static float ReadScale(TensorSource source, TensorInfo tensor) => ReadScales(source, tensor, 1)[0];

    /// <summary>That many floats, finite and above 0.</summary>
    /// <exception cref="CheckpointException">Anything else.</exception>
    public static float[] ReadScales(TensorSource source, TensorInfo tensor, long count)
    {
        if (tensor.Type != TensorType.F32 || TensorLayout.Count([.. tensor.Shape]) != count)
        {
            throw new CheckpointException(tensor.File, tensor.Name,
                $"is {tensor.Type} {tensor.ShapeText}; expected F32 with {count} elements");
        }
        byte[] bytes = source.Read(tensor);
        float[] scales = new float[count];
        for (int i = 0; i < scales.Length; i++)
        {
            scales[i] = BinaryPrimitives.ReadSingleLittleEndian(bytes.AsSpan(i * sizeof(float)));
            if (!float.IsFinite(scales[i]) || scales[i] <= 0)
            {
                throw new CheckpointException(tensor.File, tensor.Name,
                    $"is {scales[i]}; expected finite numbers above 0");
            }
        }
        return scales;
    }

    /// <summary>A whole number of any integer type.</summary>
    public static long ReadInteger(TensorSource source, TensorInfo tensor)
    {
        bool integer = tensor.Type is TensorType.U8 or TensorType.I32 or TensorType.I64 or TensorType.Bool;
        if (!integer || TensorLayout.Count([.. tensor.Shape]) != 1)
        {
            throw new CheckpointException(tensor.File, tensor.Name,
                $"is {tensor.Type} {tensor.ShapeText}; expected one whole number");
        }
        byte[] bytes = source.Read(tensor);
        return bytes.Length switch
        {
            1 => bytes[0],
            4 => BinaryPrimitives.ReadInt32LittleEndian(bytes),
            _ => BinaryPrimitives.ReadInt64LittleEndian(bytes),
        };
    }
}
