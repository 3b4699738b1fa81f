using System.Text.Json;
using LoraKernels.Checkpoints.IO;

namespace LoraKernels.Checkpoints;

/// <summary>Finds out what a path is, from the files alone, and opens it.</summary>
internal static class CheckpointLocator
{
    private const string ConfigName = "config.json";
    private const string SingleName = "model.safetensors";
    private const string RepositoryKey = "general.source.huggingface.repository";
    private const long MaxConfigBytes = 16 << 20;
    private const int NamesInMessages = 8;

    private static readonly string[] ModelExtensions = [".safetensors", ".gguf", FileKind.OnnxExtension];

    /// <summary>The folder of a checkpoint's files.</summary>
    public static string FolderOf(TensorSource source) =>
        Directory.Exists(source.Path) ? source.Path : Path.GetDirectoryName(source.Path)!;

    public static TensorSource Open(string path, out string? baseModelName)
    {
        path = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
        return Directory.Exists(path) ? OpenFolder(path, out baseModelName) : OpenFile(path, out baseModelName);
    }

    private static TensorSource OpenFolder(string folder, out string? baseModelName)
    {
        if (FolderFiles.Find(folder, SafetensorsSource.IndexName) is { } index)
        {
            baseModelName = ReadBaseModelName(folder);
            return SafetensorsSource.OpenIndex(index);
        }
        if (FolderFiles.Find(folder, SingleName) is { } single)
        {
            baseModelName = ReadBaseModelName(folder);
            return SafetensorsSource.Open(single);
        }
        string[] names = Names(folder);
        if (names.Contains(PeftConfig.FileName))
        {
            throw new CheckpointException(folder, null,
                $"is a PEFT adapter (it has {PeftConfig.FileName}), not a model; read it with PeftAdapter.Read");
        }
        string[] models = [.. names.Where(n => ModelExtensions.Any(e => HasExtension(n, e)))];
        if (models.Length == 1) return OpenFile(FolderFiles.Find(folder, models[0])!, out baseModelName);
        if (models.Length > 1)
        {
            throw new CheckpointException(folder, null, $"holds {models.Length} models ({List(models)}) and no "
                + $"{SafetensorsSource.IndexName}; open one of them");
        }
        if (names.FirstOrDefault(FileKind.HasPickleExtension) is { } pickle)
            throw FileKind.PickleError(Path.Combine(folder, pickle));
        throw new CheckpointException(folder, null, $"holds no checkpoint; expected {SafetensorsSource.IndexName}, "
            + $"{SingleName} or one .safetensors, .gguf or .onnx file, found {(names.Length == 0 ? "no files" : List(names))}");
    }

    private static TensorSource OpenFile(string path, out string? baseModelName)
    {
        string? kind;
        string firstBytes;
        using (var file = CheckpointFile.Open(path))
        {
            kind = FileKind.Of(file);
            firstBytes = FileKind.FirstBytes(file);
        }
        switch (kind)
        {
            case FileKind.Gguf:
                var gguf = GgufSource.Open(path);
                baseModelName = gguf.File.Metadata.GetValueOrDefault(RepositoryKey)?.AsText() is { Length: > 0 } name
                    ? name
                    : null;
                return gguf;
            case FileKind.Safetensors:
                baseModelName = ReadBaseModelName(Path.GetDirectoryName(path)!);
                return SafetensorsSource.Open(path);
            case FileKind.Json when path.EndsWith(".safetensors.index.json", StringComparison.Ordinal):
                baseModelName = ReadBaseModelName(Path.GetDirectoryName(path)!);
                return SafetensorsSource.OpenIndex(path);
            case FileKind.Onnx:
            case null when FileKind.HasOnnxExtension(path):
                baseModelName = ReadBaseModelName(Path.GetDirectoryName(path)!);
                return OnnxSource.Open(path);
            case FileKind.Pickle:
                throw FileKind.PickleError(path);
            case null when FileKind.HasPickleExtension(path):
                throw FileKind.PickleError(path);
            default:
                throw new CheckpointException(path, null,
                    $"is {kind ?? $"of no known kind (first bytes {firstBytes})"}; expected a safetensors, GGUF or "
                    + $"ONNX file, a {SafetensorsSource.IndexName}, or a folder");
        }
    }

    private static string? ReadBaseModelName(string folder)
    {
        if (FolderFiles.Find(folder, ConfigName) is not { } path) return null;
        using var config = JsonFile.Read(path, MaxConfigBytes);
        return config.RootElement.TryGetProperty("_name_or_path", out var name) && name.ValueKind == JsonValueKind.String
            && name.GetString() is { Length: > 0 } text
            ? text
            : null;
    }

    private static string[] Names(string folder)
    {
        try
        {
            return [.. Directory.EnumerateFiles(folder).Select(p => Path.GetFileName(p)).Order(StringComparer.Ordinal)];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CheckpointException(folder, null, $"cannot be listed: {e.Message}", e);
        }
    }

    private static bool HasExtension(string name, string extension) =>
        name.EndsWith(extension, StringComparison.OrdinalIgnoreCase);

    private static string List(string[] names) => string.Join(", ", names.Take(NamesInMessages))
        + (names.Length > NamesInMessages ? $" and {names.Length - NamesInMessages} more" : "");
}
