using System.Text.Json.Serialization;

namespace LoraKernels.Cli.Commands.Demo;

/// <summary>What <c>demo --json</c> prints.</summary>
internal sealed record DemoReport(
    DemoDevice Device,
    DemoModel Model,
    DemoAdapters Adapters,
    DemoRequests Requests,
    DemoMemory Memory,
    IReadOnlyList<DemoTiming> Timings,
    DemoCheck Check,
    DemoPool Pool,
    DemoFilesReport? Files,
    bool Ok);

/// <param name="Threads">Threads that compute; 0 for a device that is not a CPU.</param>
internal sealed record DemoDevice(string Kind, string Name, string Isa, int Threads, long MemoryBytes);

/// <param name="Synthetic">Whether the demo wrote it itself.</param>
internal sealed record DemoModel(
    string Path, bool Synthetic, string? BaseModel, int Layer, IReadOnlyList<string> Formats, long Weights, IReadOnlyList<DemoLinear> Linears);

internal sealed record DemoLinear(string Name, long OutFeatures, long InFeatures, long PackedBytes);

internal sealed record DemoAdapters(
    string Path, IReadOnlyList<DemoAdapter> Loaded, IReadOnlyList<DemoRefusedAdapter> Refused);

/// <param name="Ranks">The ranks that occur in the layer, ascending.</param>
/// <param name="DTypes">The types that its factors are stored as.</param>
/// <param name="Modules">Linears of the layer that it changes.</param>
/// <param name="DeviceBytes">What it occupies on the device, this layer only.</param>
internal sealed record DemoAdapter(
    string Name,
    IReadOnlyList<long> Ranks,
    [property: JsonPropertyName("dtypes")] IReadOnlyList<string> DTypes,
    int Modules,
    long DeviceBytes);

internal sealed record DemoRefusedAdapter(string Name, IReadOnlyList<string> Mismatches);

/// <param name="AdapterOfRow">Name of each row's adapter, null for none.</param>
internal sealed record DemoRequests(
    int Rows,
    int DistinctAdapters,
    int PlainRows,
    [property: JsonPropertyName("dtype")] string DType,
    IReadOnlyList<string?> AdapterOfRow);

/// <summary>Bytes for this layer. The first two are what the library holds; the others are computed from them.</summary>
/// <param name="FullModels16Bit">A 16-bit copy of the layer for each adapter.</param>
/// <param name="FullModels4Bit">A copy of the packed layer for each adapter.</param>
internal sealed record DemoMemory(long Base, long Adapters, long Together, long FullModels16Bit, long FullModels4Bit);

/// <param name="Name">base, same, distinct, mixed or one_by_one.</param>
/// <param name="Description">The same in words.</param>
/// <param name="MedianSeconds">One step: all linears, all rows.</param>
internal sealed record DemoTiming(string Name, string Description, double MedianSeconds, int Rounds);

/// <param name="RowsChecked">Rows times linears.</param>
/// <param name="WorstError">‖out − ref‖ / ‖ref‖; null if it is not a number.</param>
/// <param name="SmallestEffect">Smallest change that an adapter makes to a row, as part of the row; null if there is none.</param>
/// <param name="SameBitsOneByOne">Whether a request has the same bits in the mixed batch and in its adapter's own batch.</param>
internal sealed record DemoCheck(
    int RowsChecked,
    int RowsOverLimit,
    double? WorstError,
    int WorstRow,
    string WorstLinear,
    double Limit,
    double? SmallestEffect,
    double? LargestEffect,
    bool SameBitsOneByOne);

/// <summary>The same requests through a pool that has room for some of the adapters only.</summary>
/// <param name="RoomBytes">Its device budget.</param>
/// <param name="MostResident">The most adapters that were there at a time.</param>
/// <param name="Steps">Batches that it took.</param>
/// <param name="Loads">Adapters that were brought to the device.</param>
/// <param name="Evictions">Those that had to make way.</param>
/// <param name="Hits">Times that an adapter was needed and there.</param>
/// <param name="SameBits">Whether every request has the bits that it has in one batch.</param>
internal sealed record DemoPool(
    long RoomBytes, int MostResident, int Steps, long Loads, long Evictions, long Hits, long LoadedBytes, bool SameBits);

internal sealed record DemoFilesReport(string Path, bool Written, double Seconds, long Bytes);
