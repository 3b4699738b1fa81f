using System.Globalization;
using System.Text.Json;
using LoraKernels.Checkpoints.IO;

namespace LoraKernels.Checkpoints;

/// <summary>The tensors of one safetensors file, or of the shards that an index lists.</summary>
internal sealed class SafetensorsSource : TensorSource
{
    public const string IndexName = "model.safetensors.index.json";

    private const string Extension = ".safetensors";
    private const long MaxIndexBytes = 64 << 20;

    private readonly Dictionary<string, SafetensorsFile> _files;

    private SafetensorsSource(
        string path, string kind, IReadOnlyList<TensorInfo> tensors, Dictionary<string, SafetensorsFile> files)
        : base(path, kind, tensors) => _files = files;

    /// <summary>A single file.</summary>
    public static SafetensorsSource Open(string path)
    {
        var file = SafetensorsFile.Open(path);
        return new SafetensorsSource(file.Path, "safetensors", file.Tensors, new() { [file.Path] = file });
    }

    /// <summary>The shards of an index file; all are opened and checked, and must hold what the index says.</summary>
    public static SafetensorsSource OpenIndex(string indexPath)
    {
        indexPath = System.IO.Path.GetFullPath(indexPath);
        string folder = System.IO.Path.GetDirectoryName(indexPath)!;
        var map = ReadMap(indexPath);
        var shards = new Dictionary<string, SafetensorsFile>(StringComparer.Ordinal);
        var files = new Dictionary<string, SafetensorsFile>(StringComparer.Ordinal);
        try
        {
            foreach (string name in map.Values.Distinct(StringComparer.Ordinal))
            {
                var shard = SafetensorsFile.Open(FindShard(indexPath, folder, name));
                shards.Add(name, shard);
                files.Add(shard.Path, shard);
            }
            var tensors = Join(shards.Values);
            foreach (var (tensor, name) in map)
            {
                if (shards[name].Find(tensor) is null)
                {
                    throw new CheckpointException(indexPath, tensor,
                        $"the index says it is in {CheckpointException.Quote(name)}, which does not have it");
                }
            }
            string count = shards.Count.ToString(CultureInfo.InvariantCulture);
            return new SafetensorsSource(folder, $"safetensors in {count} shards", tensors, files);
        }
        catch
        {
            foreach (var shard in shards.Values) shard.Dispose();
            throw;
        }
    }

    public override byte[] Read(TensorInfo tensor) => _files[tensor.File].Read(tensor.Name);

    public override void Read(TensorInfo tensor, ByteRuns runs, Span<byte> destination) =>
        _files[tensor.File].Read(tensor, runs, destination);

    public override void Dispose()
    {
        foreach (var file in _files.Values) file.Dispose();
    }

    private static Dictionary<string, string> ReadMap(string indexPath)
    {
        using var index = JsonFile.Read(indexPath, MaxIndexBytes);
        if (!index.RootElement.TryGetProperty("weight_map", out var entries)
            || entries.ValueKind != JsonValueKind.Object)
            throw new CheckpointException(indexPath, "weight_map", "expected an object of tensor and shard names");
        var map = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var entry in entries.EnumerateObject())
        {
            string? shard = entry.Value.ValueKind == JsonValueKind.String ? entry.Value.GetString() : null;
            if (shard is null)
            {
                throw new CheckpointException(indexPath, entry.Name,
                    $"expected the name of a shard, found {JsonFile.Describe(entry.Value)}");
            }
            map.Add(entry.Name, shard);
        }
        if (map.Count == 0) throw new CheckpointException(indexPath, "weight_map", "lists no tensors");
        return map;
    }

    private static string FindShard(string indexPath, string folder, string name)
    {
        // Asking for the extension also keeps an index from naming itself.
        if (!name.EndsWith(Extension, StringComparison.Ordinal))
            throw new CheckpointException(indexPath, name, $"is named as a shard; expected a name that ends in {Extension}");
        return FolderFiles.Find(folder, name)
            ?? throw new CheckpointException(indexPath, name, "is named as a shard, but the folder has no such file");
    }

    private static List<TensorInfo> Join(IEnumerable<SafetensorsFile> shards)
    {
        var seen = new Dictionary<string, string>(StringComparer.Ordinal);
        var tensors = new List<TensorInfo>();
        foreach (var shard in shards)
        {
            foreach (var tensor in shard.Tensors)
            {
                if (!seen.TryAdd(tensor.Name, shard.Path))
                {
                    throw new CheckpointException(shard.Path, tensor.Name,
                        $"is also in {seen[tensor.Name]}; a tensor belongs to one shard");
                }
                tensors.Add(tensor);
            }
        }
        return tensors;
    }
}
