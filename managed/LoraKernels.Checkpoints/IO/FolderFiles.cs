namespace LoraKernels.Checkpoints.IO;

/// <summary>
/// Finds files by name in a checkpoint's folder without ever leaving it: names may come from the checkpoint itself, and
/// so may links, when a folder was unpacked from an archive.
/// </summary>
internal static class FolderFiles
{
    private const int MaxLinks = 40;
    private const int MaxPathLength = 1024;

    /// <summary>The file's path, or null when the folder has no such file.</summary>
    /// <exception cref="CheckpointException">The name is not a plain one, or is a link to outside.</exception>
    public static string? Find(string folder, string name)
    {
        Require(folder, name);
        return FindInside(folder, name);
    }

    /// <summary>The same of a path in the folder, with folders between: <c>data/layer.0</c>.</summary>
    /// <exception cref="CheckpointException">A part of it is no plain name, or a link leads outside.</exception>
    public static string? FindPath(string folder, string path)
    {
        if (path.Length > MaxPathLength)
            throw new CheckpointException(folder, path, $"is a path of {path.Length} characters; at most {MaxPathLength} are allowed");
        foreach (string name in path.Split('/')) Require(folder, name);
        return FindInside(folder, path);
    }

    private static string? FindInside(string folder, string name)
    {
        string path = Path.Combine(folder, name);
        try
        {
            if (!File.Exists(path) && new FileInfo(path).LinkTarget is null) return null;
            string real = RealPath(path);
            string realFolder = RealPath(folder);
            if (!IsInside(real, realFolder) && !IsInside(real, BlobFolder(realFolder)))
            {
                throw new CheckpointException(path, null,
                    $"is a link to {CheckpointException.Quote(real)}, outside of its folder; copy the file into the "
                    + "folder, or open it by its own path");
            }
            return path;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CheckpointException(path, null, $"cannot be resolved: {e.Message}", e);
        }
    }

    private static void Require(string folder, string name)
    {
        bool plain = name.Length is > 0 and <= 255 && name is not ("." or "..")
            && !name.AsSpan().ContainsAny("/\\:\0") && !name.Any(char.IsControl);
        if (!plain)
        {
            throw new CheckpointException(folder, name,
                "is no plain file name; files of a checkpoint lie in its own folder, so that separators, '..' and "
                + "drive letters are not allowed");
        }
    }

    /// <summary>
    /// The Hugging Face cache keeps a model's files in <c>blobs</c> and links to them from
    /// <c>snapshots/REVISION</c>: the one layout whose links may leave their folder.
    /// </summary>
    private static string? BlobFolder(string folder)
    {
        // A revision's own folders count: ONNX models mostly lie in one named "onnx".
        for (string? parent = Path.GetDirectoryName(folder); parent is not null; parent = Path.GetDirectoryName(parent))
        {
            if (Path.GetFileName(parent) == "snapshots")
                return Path.GetDirectoryName(parent) is { } root ? Path.Combine(root, "blobs") : null;
        }
        return null;
    }

    private static bool IsInside(string path, string? folder) =>
        folder is not null && path.StartsWith(folder, StringComparison.Ordinal)
        && (folder.EndsWith(Path.DirectorySeparatorChar)
            || (path.Length > folder.Length && path[folder.Length] == Path.DirectorySeparatorChar));

    /// <summary>The path with every link in it followed, those of the folders on the way too.</summary>
    private static string RealPath(string path)
    {
        var pending = new Stack<string>();
        path = Path.GetFullPath(path);
        string real = Path.GetPathRoot(path)!;
        Push(pending, path[real.Length..]);
        int links = 0;
        while (pending.TryPop(out string? part))
        {
            if (part == "..")
            {
                real = Path.GetDirectoryName(real) ?? real;
                continue;
            }
            string next = Path.Combine(real, part);
            string? target = new FileInfo(next).LinkTarget;
            if (target is null)
            {
                real = next;
                continue;
            }
            if (++links > MaxLinks) throw new IOException($"more than {MaxLinks} links in a row, or links in a circle");
            if (Path.IsPathRooted(target))
            {
                real = Path.GetPathRoot(target)!;
                target = target[real.Length..];
            }
            Push(pending, target);
        }
        return real;
    }

    private static void Push(Stack<string> pending, string path)
    {
        string[] parts = path.Split(
            [Path.DirectorySeparatorChar, Path.AltDirectorySeparatorChar], StringSplitOptions.RemoveEmptyEntries);
        foreach (string part in parts.Reverse())
        {
            if (part != ".") pending.Push(part);
        }
    }
}
