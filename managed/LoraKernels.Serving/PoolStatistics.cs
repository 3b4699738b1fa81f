namespace LoraKernels.Serving;

/// <summary>A pool's figures at one moment.</summary>
/// <param name="Known">Names that lead to an adapter.</param>
/// <param name="Resident">Adapters on the device.</param>
/// <param name="DeviceBytes">Device memory that adapters have, those on their way included.</param>
/// <param name="HeldBytes">Device memory of those that cannot make way: leased, pinned or on their way.</param>
/// <param name="HostAdapters">Adapters kept in host memory.</param>
/// <param name="HostBytes">Host memory of those.</param>
/// <param name="Loading">Loads that are not done.</param>
/// <param name="WaitingForRoom">Those of them that wait for room.</param>
/// <param name="Hits">Times that an adapter was asked for and was there.</param>
/// <param name="Misses">Times that it was not.</param>
/// <param name="Loads">Loads that came to the device.</param>
/// <param name="Failures">Loads that failed.</param>
/// <param name="Evictions">Adapters that had to make way.</param>
/// <param name="LoadedBytes">Bytes copied to the device.</param>
public readonly record struct PoolStatistics(
    int Known, int Resident, long DeviceBytes, long HeldBytes, int HostAdapters, long HostBytes, int Loading,
    int WaitingForRoom, long Hits, long Misses, long Loads, long Failures, long Evictions, long LoadedBytes);
