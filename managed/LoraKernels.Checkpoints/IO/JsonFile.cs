using System.Text.Json;
using System.Text.Unicode;

namespace LoraKernels.Checkpoints.IO;

/// <summary>Small JSON files of a checkpoint: strict JSON, no key twice, limited depth and size.</summary>
internal static class JsonFile
{
    private const int MaxDepth = 32;

    /// <summary>Reads a file whose root is an object.</summary>
    /// <exception cref="CheckpointException">Too large, not JSON, a key twice, or another root.</exception>
    public static JsonDocument Read(string path, long maxBytes)
    {
        using var file = CheckpointFile.Open(path);
        if (file.Length > maxBytes)
        {
            throw new CheckpointException(file.Path, null,
                $"is {file.Length} bytes long; JSON of this kind is read up to {maxBytes}");
        }
        return Parse(file.Path, null, file.Read(0, file.Length, null));
    }

    /// <summary>Parses JSON whose root is an object.</summary>
    public static JsonDocument Parse(string file, string? tensor, byte[] json)
    {
        if (!Utf8.IsValid(json)) throw new CheckpointException(file, tensor, "is not UTF-8 text; expected JSON");
        JsonDocument? document = null;
        try
        {
            CheckText(json);
            document = JsonDocument.Parse(json, new JsonDocumentOptions
            {
                AllowDuplicateProperties = false,
                MaxDepth = MaxDepth,
            });
            if (document.RootElement.ValueKind == JsonValueKind.Object) return document;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            document?.Dispose();
            throw new CheckpointException(file, tensor, $"is not valid JSON: {CheckpointException.Shorten(e.Message)}", e);
        }
        string found = Describe(document.RootElement);
        document.Dispose();
        throw new CheckpointException(file, tensor, $"expected a JSON object at the top, found {found}");
    }

    /// <summary>
    /// Meets every escape of half a character now, when the whole file can be refused, and not as an exception from
    /// whatever later asks for the string.
    /// </summary>
    private static void CheckText(ReadOnlySpan<byte> json)
    {
        var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = MaxDepth });
        while (reader.Read())
        {
            if (reader.TokenType is JsonTokenType.String or JsonTokenType.PropertyName && reader.ValueIsEscaped)
                reader.GetString();
        }
    }

    /// <summary>A value as it may stand in a message.</summary>
    public static string Describe(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => $"a list of {element.GetArrayLength()}",
        JsonValueKind.String => CheckpointException.Quote(element.GetString()!),
        JsonValueKind.Number => CheckpointException.Quote(element.GetRawText()).Trim('\''),
        JsonValueKind.True => "true",
        JsonValueKind.False => "false",
        _ => "null",
    };
}
