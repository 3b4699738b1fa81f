namespace LoraKernels;

/// <summary>
/// SplitMix64 (Steele, Lea, Flood, OOPSLA 2014): a generator whose numbers are fixed by its definition, on every machine and
/// in every version of .NET.
/// </summary>
internal struct SplitMix64(ulong seed)
{
    private ulong _state = seed;

    /// <summary>Uniform in [0, 1), in steps of 2⁻⁵³.</summary>
    public double NextDouble()
    {
        _state += 0x9e3779b97f4a7c15;
        ulong z = _state;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        return ((z ^ (z >> 31)) >> 11) * (1.0 / (1UL << 53));
    }
}
