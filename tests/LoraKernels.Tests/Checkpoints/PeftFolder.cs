using LoraKernels.Checkpoints;

namespace LoraKernels.Tests.Checkpoints;

/// <summary>PEFT adapters as PEFT writes them, by hand.</summary>
internal static class PeftFolder
{
    public const string Config = """
        {
          "alpha_pattern": {}, "auto_mapping": null, "base_model_name_or_path": "mistralai/Mistral-7B-v0.1",
          "bias": "none", "eva_config": null, "exclude_modules": null, "fan_in_fan_out": false, "inference_mode": true,
          "init_lora_weights": true, "layer_replication": null, "layers_pattern": null, "layers_to_transform": null,
          "loftq_config": {}, "lora_alpha": 16, "lora_bias": false, "lora_dropout": 0.05, "megatron_config": null,
          "megatron_core": "megatron.core", "modules_to_save": null, "peft_type": "LORA", "r": 2, "rank_pattern": {},
          "revision": null, "target_modules": ["q_proj", "v_proj"], "task_type": "CAUSAL_LM", "use_dora": false,
          "use_rslora": false
        }
        """;

    public const string Prefix = "base_model.model.model.layers.0.self_attn.";

    /// <summary>q_proj [3, 4] and v_proj [2, 4], rank 2, F32.</summary>
    public static SafetensorsEntry[] Factors() =>
    [
        Factor("q_proj.lora_A.weight", 2, 4), Factor("q_proj.lora_B.weight", 3, 2),
        Factor("v_proj.lora_A.weight", 2, 4), Factor("v_proj.lora_B.weight", 2, 2),
    ];

    public static SafetensorsEntry Factor(string name, int rows, int columns, TensorType type = TensorType.F32)
    {
        int size = type == TensorType.F32 ? 4 : type is TensorType.F16 or TensorType.BF16 ? 2 : 8;
        return new SafetensorsEntry(Prefix + name, type, [rows, columns], SafetensorsBytes.Data(rows * columns * size));
    }

    public static void Write(TempFolder folder, string config, IEnumerable<SafetensorsEntry> factors)
    {
        folder.Write("adapter_config.json", config);
        SafetensorsWriter.Write(folder.Combine("adapter_model.safetensors"), factors);
    }
}
