using System.Globalization;
using LoraKernels.Checkpoints.IO;

namespace LoraKernels.Checkpoints;

/// <summary>What a file is by its first bytes, whatever its name says.</summary>
internal static class FileKind
{
    public const string Safetensors = "a safetensors file";
    public const string Gguf = "a GGUF file";
    public const string Onnx = "an ONNX model";
    public const string Json = "JSON text";
    public const string Pickle = "a pickle";

    public const string OnnxExtension = ".onnx";

    private static readonly string[] PickleExtensions = [".bin", ".pt", ".pth", ".ckpt", ".pkl"];

    /// <summary>What no first bytes tell: whether a file calls itself an ONNX model.</summary>
    public static bool HasOnnxExtension(string path) =>
        Path.GetExtension(path).Equals(OnnxExtension, StringComparison.OrdinalIgnoreCase);

    public static bool HasPickleExtension(string path) =>
        PickleExtensions.Contains(Path.GetExtension(path), StringComparer.OrdinalIgnoreCase);

    /// <summary>One of the constants, or null when the bytes are none of them.</summary>
    public static string? Of(CheckpointFile file)
    {
        Span<byte> start = stackalloc byte[9];
        start = start[..(int)Math.Min(start.Length, file.Length)];
        file.Read(0, start, null);
        if (start.StartsWith("GGUF"u8)) return Gguf;
        // torch.save: a zip archive since 1.6, a bare pickle (protocol 2 to 5) before.
        if (start.StartsWith("PK\x03\x04"u8)) return Pickle;
        // A pickle's second byte is its protocol; a safetensors header as long as 0x..0280 begins '{' at byte 8.
        // Text has none of a length's zero bytes, so that '{"meta":{' is not taken for a header.
        bool header = start is [_, _, _, _, _, _, _, 0, (byte)'{'];
        if (start is [0x80, >= 2 and <= 5, ..] && !header) return Pickle;
        if (header) return Safetensors;
        // ONNX has no magic number. Its writers begin with the IR version, field 1 of a message, and a second field.
        if (start is [0x08, > 0 and < 0x80, 0x12 or 0x1a or 0x22 or 0x28 or 0x32 or 0x3a or 0x42, ..]) return Onnx;
        return start is [(byte)'{' or (byte)'[', ..] ? Json : null;
    }

    /// <summary>Refuses a file that is plainly of another kind, with what it is and what to do.</summary>
    public static void RefuseOther(CheckpointFile file, string expected)
    {
        string? found = Of(file);
        if (found is null && HasPickleExtension(file.Path)) found = Pickle;
        if (found == Pickle) throw PickleError(file.Path);
        if (found is not null && found != expected)
            throw new CheckpointException(file.Path, null, $"is {found}; expected {expected}");
    }

    public static CheckpointException PickleError(string path) => new(path, null,
        "is a PyTorch pickle (.bin, .pt, .pth): reading one runs code from the file, so that it is refused. Convert it "
        + "to safetensors where you trust it: in Python, safetensors.torch.save_file(torch.load(path, "
        + "weights_only=True), \"model.safetensors\")");

    /// <summary>The first bytes, for a message about a file of no known kind.</summary>
    public static string FirstBytes(CheckpointFile file)
    {
        byte[] start = file.Read(0, Math.Min(8, file.Length), null);
        return string.Join(' ', start.Select(b => b.ToString("x2", CultureInfo.InvariantCulture)));
    }
}
