using System.Text;
using System.Text.Json;

namespace LoraKernels.Tests.Checkpoints;

/// <summary>Random changes to a JSON text, token by token, so that most of it stands and parsers get past its start.</summary>
internal static class JsonMutations
{
    private static readonly string[] Values =
    [
        "null", "true", "false", "0", "-1", "1", "2", "3", "4", "8", "64", "512", "513", "1.5", "-0", "1e400", "1e-400",
        "2147483648", "4294967296", "9223372036854775807", "9223372036854775808", "1e18", "\"\"", "\"U8\"", "\"F32\"",
        "\"F4\"", "\"Q4_0\"", "\"nf4\"", "\"fp4\"", "\"LORA\"", "\"../x.safetensors\"", "\"a.safetensors\"",
        "\"model.safetensors.index.json\"", "\"\\u0000\"", "\"\\ud800\"", "\"(a*)*b\"", "[]", "{}", "[0,0]", "[[[[1]]]]",
        "[1,1]", "[\"mlp.experts.down_proj\"]", "[\"self_attn.q_proj\",\"x.y\"]", "[0,9223372036854775807]", "[-1,5]", "[4294967296,4294967296]", "{\"a\":{\"b\":{\"c\":{}}}}",
        "{\"(a*)*b\":2}", "{\"[qv]_proj\":2}", "{\"(?=x)\":2}", "{\"((a{9}){9}){9}\":2}", "{\"a{1000000000}\":2}",
    ];

    private static readonly string[] Names =
    [
        "\"\"", "\"a\"", "\"dtype\"", "\"shape\"", "\"data_offsets\"", "\"__metadata__\"", "\"weight_map\"", "\"r\"",
        "\"rank_pattern\"", "\"target_parameters\"", "\"use_dora\"", "\"lora_alpha\"", "\"blocksize\"", "\"nested_blocksize\"", "\"\\ud800\"",
        "\"x.weight.quant_state.bitsandbytes__nf4\"",
    ];

    private readonly record struct Token(int Start, int End, JsonTokenType Type);

    /// <summary>One to three changes.</summary>
    public static byte[] Mutate(Random random, string json)
    {
        byte[] text = Encoding.UTF8.GetBytes(json);
        for (int i = Math.Max(1, random.Next(-2, 4)); i > 0; i--) text = Change(random, text, Tokens(text));
        return random.Next(20) == 0 ? ByteMutations.Mutate(random, text) : text;
    }

    private static byte[] Change(Random random, byte[] text, List<Token> tokens)
    {
        if (tokens.Count == 0) return text;
        int first = random.Next(tokens.Count);
        int last = Math.Min(tokens.Count - 1, first + random.Next(12));
        var (start, end) = (tokens[first].Start, tokens[last].End);
        switch (random.Next(12))
        {
            case 0: // cut off
                return text[..start];
            case 1: // tokens missing
                return [.. text[..start], .. text[end..]];
            case 2: // tokens twice
                return [.. text[..end], .. text[start..]];
            case 3: // the first member twice
                return [.. text[..tokens[0].End], .. text[tokens[0].End..end], (byte)',', .. text[tokens[0].End..]];
            case 4: // a whole object or list replaced
                int close = Close(tokens, first);
                return Replace(random, text, tokens[first].Start, tokens[close].End, Values);
            default: // a token replaced by one that may stand there
                return Replace(random, text, tokens[first].Start, tokens[first].End,
                    tokens[first].Type == JsonTokenType.PropertyName ? Names : Values);
        }
    }

    private static byte[] Replace(Random random, byte[] text, int start, int end, string[] by) =>
        [.. text[..start], .. Encoding.UTF8.GetBytes(by[random.Next(by.Length)]), .. text[end..]];

    private static int Close(List<Token> tokens, int open)
    {
        int depth = 0;
        for (int i = open; i < tokens.Count; i++)
        {
            if (tokens[i].Type is JsonTokenType.StartObject or JsonTokenType.StartArray) depth++;
            if (tokens[i].Type is JsonTokenType.EndObject or JsonTokenType.EndArray) depth--;
            if (depth <= 0) return i;
        }
        return tokens.Count - 1;
    }

    /// <summary>The tokens up to the first mistake; property names without their colon.</summary>
    private static List<Token> Tokens(byte[] text)
    {
        var tokens = new List<Token>();
        var reader = new Utf8JsonReader(text);
        try
        {
            while (reader.Read())
            {
                int quotes = reader.TokenType is JsonTokenType.PropertyName or JsonTokenType.String ? 2 : 0;
                int start = (int)reader.TokenStartIndex;
                int length = reader.ValueSpan.Length + quotes;
                tokens.Add(new Token(start, start + Math.Max(1, length), reader.TokenType));
            }
        }
        catch (JsonException)
        {
            return tokens;
        }
        return tokens;
    }
}
