using System.Text;

namespace LoraKernels.Checkpoints;

/// <summary>A checkpoint or adapter that cannot be read, or not as what it was opened for.</summary>
public sealed class CheckpointException : Exception
{
    private const int LongestName = 200;
    private const int LongestMessage = 500;

    /// <param name="file">The file or folder that was read.</param>
    /// <param name="tensor">The tensor, metadata key or field at fault, or null when it is the file as a whole.</param>
    /// <param name="reason">What was found and what was allowed.</param>
    /// <param name="innerException">The operating system's or parser's own error, if there was one.</param>
    public CheckpointException(string file, string? tensor, string reason, Exception? innerException = null)
        : base(tensor is null ? $"{file}: {reason}" : $"{file}: {Quote(tensor)}: {reason}", innerException)
    {
        File = file;
        Tensor = tensor;
        Reason = reason;
    }

    /// <summary>The file or folder that was read.</summary>
    public string File { get; }

    /// <summary>The tensor, metadata key or field at fault; null when it is the file as a whole.</summary>
    public string? Tensor { get; }

    /// <summary>What was found and what was allowed, without the names of file and tensor.</summary>
    public string Reason { get; }

    /// <summary>A parser's message, which may quote what it could not parse, however long it is.</summary>
    internal static string Shorten(string message) =>
        message.Length <= LongestMessage ? message : $"{message.AsSpan(0, LongestMessage)}...";

    /// <summary>Text from a file, as it may stand in a message: in quotes, one line, not endless.</summary>
    internal static string Quote(string text)
    {
        var quoted = new StringBuilder("'");
        foreach (char c in text.AsSpan(0, Math.Min(text.Length, LongestName)))
        {
            if (char.IsControl(c) || char.IsSurrogate(c))
                quoted.Append("\\u").Append(((int)c).ToString("x4", null));
            else
                quoted.Append(c);
        }
        return quoted.Append(text.Length > LongestName ? "'..." : "'").ToString();
    }
}
