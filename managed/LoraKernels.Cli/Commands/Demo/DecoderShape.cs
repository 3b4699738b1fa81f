namespace LoraKernels.Cli.Commands.Demo;

/// <summary>A linear layer, [out, in] as its checkpoint stores it.</summary>
internal sealed record LinearShape(string Name, long OutFeatures, long InFeatures)
{
    public long Weights => OutFeatures * InFeatures;
}

/// <summary>The shapes of a decoder layer with grouped-query attention and a gated MLP.</summary>
/// <param name="BaseModel">The model's name: in its config.json, and in that of its adapters.</param>
/// <param name="KeyValue">Width of k and v: key-value heads times their size.</param>
internal sealed record DecoderShape(string BaseModel, long Hidden, long Intermediate, long KeyValue, int Heads, int KeyValueHeads)
{
    /// <summary>Layers of the whole Mistral-7B; the demo runs one.</summary>
    public const int Mistral7BLayers = 32;

    /// <summary>One layer of Mistral-7B: 218,103,808 weights in seven linears.</summary>
    public static DecoderShape Mistral7B { get; } = new("lorakernels/demo-mistral-7b-layer", 4096, 14336, 1024, 32, 8);

    public IReadOnlyList<LinearShape> Linears =>
    [
        new("model.layers.0.self_attn.q_proj", Hidden, Hidden),
        new("model.layers.0.self_attn.k_proj", KeyValue, Hidden),
        new("model.layers.0.self_attn.v_proj", KeyValue, Hidden),
        new("model.layers.0.self_attn.o_proj", Hidden, Hidden),
        new("model.layers.0.mlp.gate_proj", Intermediate, Hidden),
        new("model.layers.0.mlp.up_proj", Intermediate, Hidden),
        new("model.layers.0.mlp.down_proj", Hidden, Intermediate),
    ];

    /// <summary>The checkpoint's config.json.</summary>
    public string Config => $$"""
        {
          "_name_or_path": "{{BaseModel}}",
          "architectures": ["MistralForCausalLM"],
          "model_type": "mistral",
          "hidden_act": "silu",
          "hidden_size": {{Hidden}},
          "intermediate_size": {{Intermediate}},
          "num_attention_heads": {{Heads}},
          "num_key_value_heads": {{KeyValueHeads}},
          "num_hidden_layers": 1,
          "torch_dtype": "float16",
          "quantization_config": {
            "quant_method": "bitsandbytes",
            "load_in_4bit": true,
            "load_in_8bit": false,
            "bnb_4bit_quant_type": "nf4",
            "bnb_4bit_use_double_quant": true,
            "bnb_4bit_compute_dtype": "float16"
          }
        }

        """;
}
