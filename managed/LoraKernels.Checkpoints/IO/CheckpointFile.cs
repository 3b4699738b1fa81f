using Microsoft.Win32.SafeHandles;

namespace LoraKernels.Checkpoints.IO;

/// <summary>
/// A file that is only ever read with positioned reads, never mapped: a file cut short while it is open is an
/// exception, where a mapping would end the process with SIGBUS.
/// </summary>
internal sealed class CheckpointFile : IDisposable
{
    private readonly SafeFileHandle _handle;

    private readonly DateTime _modified;

    private CheckpointFile(string path, SafeFileHandle handle, long length)
    {
        Path = path;
        _handle = handle;
        Length = length;
        _modified = File.GetLastWriteTimeUtc(handle);
    }

    /// <summary>Full path.</summary>
    public string Path { get; }

    /// <summary>Length when it was opened.</summary>
    public long Length { get; }

    /// <exception cref="CheckpointException">It is missing, empty, a folder, a device or may not be read.</exception>
    public static CheckpointFile Open(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        try
        {
            path = System.IO.Path.GetFullPath(path);
            var info = new FileInfo(path);
            if (Directory.Exists(path))
                throw new CheckpointException(path, null, "is a folder; expected a file");
            if (!info.Exists)
                throw new CheckpointException(path, null, "there is no such file");
            // Asked before opening: opening a pipe would wait for a writer. Pipes and devices have no length.
            if (LengthOf(info) == 0)
                throw new CheckpointException(path, null, "is empty (0 bytes)");
            var handle = File.OpenHandle(
                path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, FileOptions.SequentialScan);
            try
            {
                return new CheckpointFile(path, handle, RandomAccess.GetLength(handle));
            }
            catch
            {
                handle.Dispose();
                throw;
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException
            or NotSupportedException)
        {
            throw new CheckpointException(path, null, $"cannot be opened: {e.Message}", e);
        }
    }

    /// <summary>Fills <paramref name="destination"/> with the bytes at <paramref name="offset"/>.</summary>
    /// <param name="offset">From the start of the file; the range lies within <see cref="Length"/>.</param>
    /// <param name="destination">Where the bytes go.</param>
    /// <param name="tensor">Named in errors.</param>
    /// <exception cref="CheckpointException">
    /// The file got shorter or was written to since it was opened, or the disk failed.
    /// </exception>
    public void Read(long offset, Span<byte> destination, string? tensor) =>
        Read(new ByteRuns(offset, destination.Length), destination, tensor);

    /// <summary>Fills <paramref name="destination"/> with some bytes of a tensor.</summary>
    /// <exception cref="ArgumentOutOfRangeException">They are not all inside the tensor.</exception>
    /// <exception cref="CheckpointException">As for the other overload.</exception>
    public void Read(TensorInfo tensor, ByteRuns runs, Span<byte> destination)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(runs.First, nameof(runs));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(
            runs.First + (runs.Count - 1) * runs.Stride + runs.Size, tensor.Bytes, nameof(runs));
        ArgumentOutOfRangeException.ThrowIfNotEqual(destination.Length, runs.Bytes, nameof(destination));
        Read(runs with { First = tensor.Offset + runs.First }, destination, tensor.Name);
    }

    private void Read(ByteRuns runs, Span<byte> destination, string? tensor)
    {
        long offset = runs.First;
        try
        {
            for (long run = 0; run < runs.Count; run++)
            {
                offset = runs.First + run * runs.Stride;
                var bytes = destination.Slice((int)(run * runs.Size), (int)runs.Size);
                while (bytes.Length > 0)
                {
                    int read = RandomAccess.Read(_handle, bytes, offset);
                    if (read == 0)
                    {
                        throw new CheckpointException(Path, tensor,
                            $"the file ends at byte {RandomAccess.GetLength(_handle)} but was {Length} bytes long when "
                            + "it was opened; it was cut short or replaced meanwhile");
                    }
                    offset += read;
                    bytes = bytes[read..];
                }
            }
            // What was read may be half of the old contents and half of new ones.
            if (File.GetLastWriteTimeUtc(_handle) != _modified)
            {
                throw new CheckpointException(Path, tensor,
                    "the file was written to since it was opened; open it anew when that is done");
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CheckpointException(Path, tensor, $"cannot be read at byte {offset}: {e.Message}", e);
        }
    }

    /// <summary>The bytes of a range that lies within <see cref="Length"/>.</summary>
    /// <exception cref="CheckpointException">More than one array can hold, or as for the other overload.</exception>
    public byte[] Read(long offset, long count, string? tensor)
    {
        if (count > Array.MaxLength)
        {
            throw new CheckpointException(Path, tensor,
                $"is {count} bytes long; one array holds {Array.MaxLength}. Read it in pieces");
        }
        byte[] bytes = GC.AllocateUninitializedArray<byte>((int)count);
        Read(offset, bytes, tensor);
        return bytes;
    }

    public void Dispose() => _handle.Dispose();

    private static long LengthOf(FileInfo info) =>
        info.ResolveLinkTarget(returnFinalTarget: true) is FileInfo target ? target.Length : info.Length;
}
