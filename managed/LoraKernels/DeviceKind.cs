namespace LoraKernels;

/// <summary>What computes. The values are those of <c>lk_device_kind</c>.</summary>
public enum DeviceKind
{
    /// <summary>The processors of this machine.</summary>
    Cpu = 0,

    /// <summary>A GPU with a CUDA driver.</summary>
    Cuda = 1,

    /// <summary>
    /// The CUDA kernels on the processor, strictly checked and slow. For tests: only builds from
    /// source have it, in a native library of its own.
    /// </summary>
    Emulated = 2,
}

/// <summary>The instruction set path of a CPU device. The values are those of <c>lk_cpu_isa</c>.</summary>
public enum CpuIsa
{
    /// <summary>
    /// What the environment variable <c>LORAKERNELS_CPU</c> names (such as <c>avx2</c>) if it is set, else the fastest
    /// path that this processor runs.
    /// </summary>
    Auto = 0,

    /// <summary>Scalar code on one thread, as simple as can be: to check the other paths against.</summary>
    Reference = 1,

    /// <summary>Blocked and threaded code for any processor that the library was compiled for.</summary>
    Portable = 2,

    /// <summary>Vectors of 256 bits: AVX2, FMA and F16C.</summary>
    Avx2 = 3,

    /// <summary>Vectors of 512 bits: AVX-512 F, BW, VL and DQ.</summary>
    Avx512 = 4,

    /// <summary>The same with the integer dot products of AVX-512 VNNI.</summary>
    Avx512Vnni = 5,
}
