using System.Text.Json;

namespace LoraKernels.Cli.Commands.Demo;

/// <summary>What a complete cache entry holds: its own file list, so that a damaged one is noticed.</summary>
internal sealed record DemoStamp(int Version, double WriteSeconds, IReadOnlyList<DemoStampFile> Files);

/// <summary>A file by its path in the entry and its length in bytes.</summary>
internal sealed record DemoStampFile(string Path, long Bytes);

/// <summary>
/// The folder that the demo's files live in. They are written beside their place and moved there when they are
/// complete, so that an entry is whole or absent, whoever is interrupted and however many run at once.
/// </summary>
internal sealed class DemoCache
{
    // Counts up whenever the files' contents change.
    private const int FilesVersion = 1;
    private const string StampName = "stamp.json";
    private static readonly TimeSpan s_abandoned = TimeSpan.FromHours(1);

    private readonly string _root;

    public DemoCache(string? root) => _root = Path.GetFullPath(root ?? DefaultRoot());

    /// <summary>Where the entry is, or will be.</summary>
    public string Folder => Path.Combine(_root, $"demo-{FilesVersion}");

    /// <summary>$XDG_CACHE_HOME/lorakernels, ~/.cache/lorakernels, or what the platform has in its place.</summary>
    public static string DefaultRoot()
    {
        string? xdg = Environment.GetEnvironmentVariable("XDG_CACHE_HOME");
        if (!string.IsNullOrEmpty(xdg) && Path.IsPathFullyQualified(xdg))
            return Path.Combine(xdg, "lorakernels");

        string home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
        if (!OperatingSystem.IsWindows() && home.Length > 0)
            return Path.Combine(home, ".cache", "lorakernels");

        string local = Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData);
        return Path.Combine(local.Length > 0 ? local : Path.GetTempPath(), "lorakernels");
    }

    /// <summary>Whether a whole entry of this version is there.</summary>
    public bool TryOpen(out DemoStamp? stamp)
    {
        stamp = null;
        string path = Path.Combine(Folder, StampName);
        if (!File.Exists(path))
            return false;

        try
        {
            stamp = JsonSerializer.Deserialize(File.ReadAllBytes(path), CliJson.Default.DemoStamp);
        }
        catch (Exception damaged) when (damaged is JsonException or IOException)
        {
            return false;
        }
        return stamp is { Version: FilesVersion, Files.Count: > 0 }
            && stamp.Files.All(file => new FileInfo(Path.Combine(Folder, file.Path)) is { Exists: true } found
                && found.Length == file.Bytes);
    }

    /// <summary>Writes an entry: <paramref name="write"/> fills an empty folder, which then takes the entry's place.</summary>
    /// <returns>What was written.</returns>
    /// <exception cref="CommandException">The folder cannot be written to.</exception>
    public DemoStamp Write(Action<string> write)
    {
        try
        {
            return WriteBeside(write);
        }
        catch (Exception refused) when (refused is IOException or UnauthorizedAccessException)
        {
            throw new CommandException(
                $"The demo's files cannot be written to {_root}: {refused.Message} Another folder can be given by --cache.");
        }
    }

    private DemoStamp WriteBeside(Action<string> write)
    {
        Directory.CreateDirectory(_root);
        DeleteAbandoned();
        string partial = Path.Combine(_root, $"demo-{FilesVersion}.{Path.GetRandomFileName()}.partial");
        try
        {
            Directory.CreateDirectory(partial);
            long start = TimeProvider.System.GetTimestamp();
            write(partial);
            double seconds = TimeProvider.System.GetElapsedTime(start).TotalSeconds;

            DemoStamp stamp = new(FilesVersion, Math.Round(seconds, 2), ListFiles(partial));
            File.WriteAllBytes(
                Path.Combine(partial, StampName), JsonSerializer.SerializeToUtf8Bytes(stamp, CliJson.Default.DemoStamp));
            Replace(partial);
            return stamp;
        }
        finally
        {
            if (Directory.Exists(partial))
                Directory.Delete(partial, recursive: true);
        }
    }

    private void Replace(string partial)
    {
        string old = partial + ".old";
        if (Directory.Exists(Folder))
            Directory.Move(Folder, old);
        Directory.Move(partial, Folder);
        if (Directory.Exists(old))
            Directory.Delete(old, recursive: true);
    }

    // What a killed process left. A writer that still runs is younger.
    private void DeleteAbandoned()
    {
        foreach (string folder in Directory.EnumerateDirectories(_root, "demo-*.partial*"))
        {
            if (DateTime.UtcNow - Directory.GetLastWriteTimeUtc(folder) > s_abandoned)
                Directory.Delete(folder, recursive: true);
        }
    }

    private static List<DemoStampFile> ListFiles(string folder) =>
        [.. Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories)
            .Order(StringComparer.Ordinal)
            .Select(path => new DemoStampFile(Path.GetRelativePath(folder, path), new FileInfo(path).Length))];
}
