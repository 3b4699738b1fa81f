namespace LoraKernels.Checkpoints.Writing;

/// <summary>
/// A folder that appears whole or not at all: it is filled beside its place under another name, and renamed in the end.
/// </summary>
internal sealed class OutputFolder : IDisposable
{
    private readonly string _path;
    private bool _complete;

    /// <param name="path">Nothing is there, or an empty folder.</param>
    /// <exception cref="CheckpointException">Something is there.</exception>
    public OutputFolder(string path)
    {
        _path = System.IO.Path.TrimEndingDirectorySeparator(System.IO.Path.GetFullPath(path));
        if (File.Exists(_path)) throw new CheckpointException(_path, null, "is a file; expected a new or an empty folder");
        if (Directory.Exists(_path) && Directory.EnumerateFileSystemEntries(_path).Any())
            throw new CheckpointException(_path, null, "is not empty; expected a new or an empty folder");
        Path = $"{_path}.{Guid.NewGuid():N}.tmp";
        Directory.CreateDirectory(Path);
    }

    /// <summary>Where the files are written.</summary>
    public string Path { get; }

    /// <summary>Renames the folder into its place.</summary>
    /// <exception cref="IOException">Something is there by now.</exception>
    public void Complete()
    {
        if (Directory.Exists(_path)) Directory.Delete(_path);
        Directory.Move(Path, _path);
        _complete = true;
    }

    /// <summary>Deletes what is there unless it is complete.</summary>
    public void Dispose()
    {
        if (!_complete && Directory.Exists(Path)) Directory.Delete(Path, recursive: true);
    }
}
