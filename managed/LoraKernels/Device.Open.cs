using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using LoraKernels.Interop;
using LoraKernels.Native;

namespace LoraKernels;

public sealed partial class Device
{
    private const string AllowedNames =
        "allowed are cpu, cpu:reference, cpu:portable, cpu:avx2, cpu:avx512, cpu:avx512vnni, cuda and cuda:N with " +
        "N = 0, 1, … (and emulated, emulated:N with the library of the emulated device)";

    /// <summary>The paths that this processor runs, slowest first.</summary>
    /// <exception cref="NativeLibraryException">The native library cannot be loaded.</exception>
    public static IReadOnlyList<CpuIsa> CpuPaths =>
        [.. Enum.GetValues<CpuIsa>().Where(static isa => isa != CpuIsa.Auto && CanOpen(isa))];

    private static readonly Dictionary<string, CpuIsa> PathNames = Enum.GetValues<CpuIsa>()
        .Where(static isa => isa != CpuIsa.Auto)
        .ToDictionary(static isa => isa.ToString().ToUpperInvariant());

    /// <summary>The first CUDA device if there is one, else the CPU.</summary>
    /// <exception cref="NativeLibraryException">The native library cannot be loaded.</exception>
    /// <exception cref="LoraKernelsException">The device cannot be opened; the message says why.</exception>
    public static Device Open() => Count(DeviceKind.Cuda) > 0
        ? new Device(DeviceKind.Cuda, 0, CpuIsa.Auto, batchInvariant: false, ComputeMode.Precise)
        : OpenCpu();

    /// <summary>Opens a device by name.</summary>
    /// <param name="name">
    /// <c>cpu</c> (the fastest path), <c>cpu:avx2</c> and so on with the names of <see cref="CpuIsa"/>, <c>cuda</c>
    /// (the first) or <c>cuda:1</c>; with the library of the emulated device also <c>emulated</c>. Upper case is as good.
    /// </param>
    /// <param name="batchInvariant">
    /// True: no bit of a row of a result depends on how many other rows there are or on what they hold, at some cost in
    /// speed. False: on a GPU, sums may be ordered as is fastest for the number of rows. The CPU is always invariant
    /// (<see cref="IsBatchInvariant"/>). Either way the same call gives the same bits.
    /// </param>
    /// <param name="compute">How x · Wᵀ is computed; only the CPU has <see cref="ComputeMode.Int8Activations"/>.</param>
    /// <exception cref="ArgumentException">Another name; the message lists what is allowed.</exception>
    /// <exception cref="NativeLibraryException">The native library cannot be loaded.</exception>
    /// <exception cref="LoraKernelsException">
    /// <see cref="LoraKernelsStatus.DeviceUnavailable"/>: there is no such device here, and why;
    /// <see cref="LoraKernelsStatus.Unsupported"/>: a path that this processor cannot run, or a mode that the device does
    /// not have.
    /// </exception>
    public static Device Open(
        string name, bool batchInvariant = false, ComputeMode compute = ComputeMode.Precise)
    {
        (DeviceKind kind, int index, CpuIsa isa) = ParseName(name);
        return new Device(kind, index, isa, batchInvariant, compute);
    }

    /// <summary>
    /// Opens a device where the host engine works: in the CUDA context of one of its streams, which becomes the
    /// <see cref="DefaultStream"/>. An engine's memory can be used on such a device, and need not be on any other:
    /// <see cref="Open(string, bool, ComputeMode)"/> takes the calling thread's current context, or else the primary one, and engines may
    /// have their own. Open one device for each context; tensors and weights do not go from one to the other.
    /// </summary>
    /// <param name="name">The stream's device, such as <c>cuda:1</c>; see <see cref="Open(string, bool, ComputeMode)"/>.</param>
    /// <param name="nativeStream">
    /// A <c>CUstream</c> of its own, not a default stream. It stays the engine's; stream and context must outlive the
    /// device and everything that is made on it.
    /// </param>
    /// <param name="owner">
    /// The engine's object that destroys the stream when it is collected; the device, and what is made on it, keep it
    /// from that. Null where there is none.
    /// </param>
    /// <param name="batchInvariant">See <see cref="Open(string, bool, ComputeMode)"/>.</param>
    /// <exception cref="ArgumentException">
    /// No such name, or <paramref name="nativeStream"/> is a default stream.
    /// </exception>
    /// <exception cref="NativeLibraryException">The native library cannot be loaded.</exception>
    /// <exception cref="LoraKernelsException">
    /// <see cref="LoraKernelsStatus.InvalidArgument"/>: the stream is of another device, or the device a CPU;
    /// <see cref="LoraKernelsStatus.DeviceUnavailable"/>: there is no such device here, and why.
    /// </exception>
    public static Device OpenOnStream(
        string name, nint nativeStream, object? owner = null, bool batchInvariant = false)
    {
        (DeviceKind kind, int index, CpuIsa isa) = ParseName(name);
        RequireOwnStream(nativeStream);
        return new Device(kind, index, isa, batchInvariant, ComputeMode.Precise, nativeStream, owner);
    }

    /// <summary>Opens the CPU.</summary>
    /// <param name="isa">The code path.</param>
    /// <param name="compute">How x · Wᵀ is computed.</param>
    /// <exception cref="NativeLibraryException">The native library cannot be loaded.</exception>
    /// <exception cref="LoraKernelsException">
    /// <see cref="LoraKernelsStatus.Unsupported"/>: a path that this processor cannot run;
    /// <see cref="LoraKernelsStatus.InvalidArgument"/>: an unknown path, also in <c>LORAKERNELS_CPU</c>.
    /// </exception>
    public static Device OpenCpu(CpuIsa isa = CpuIsa.Auto, ComputeMode compute = ComputeMode.Precise) =>
        new(DeviceKind.Cpu, 0, isa, batchInvariant: true, compute);

    /// <summary>The devices of a kind; none is an answer, and <see cref="TryDescribe"/> then says why.</summary>
    /// <param name="kind">What to look for.</param>
    /// <exception cref="NativeLibraryException">The native library cannot be loaded.</exception>
    /// <exception cref="LoraKernelsException">
    /// <see cref="LoraKernelsStatus.InvalidArgument"/>: unknown kind.
    /// </exception>
    public static IReadOnlyList<DeviceInfo> Enumerate(DeviceKind kind)
    {
        int count = Count(kind);
        var devices = new List<DeviceInfo>(count);
        for (int index = 0; index < count; index++)
        {
            if (!TryDescribe(kind, index, out DeviceInfo? info, out string? whyNot))
                throw new LoraKernelsException(LoraKernelsStatus.DeviceUnavailable, whyNot);
            devices.Add(info);
        }
        return devices;
    }

    /// <summary>A device's figures, or why there is none.</summary>
    /// <param name="kind">What to look for.</param>
    /// <param name="index">Which one of its kind, from 0.</param>
    /// <param name="info">The device, or null.</param>
    /// <param name="whyNot">What is missing: driver, device or build option; or null.</param>
    /// <returns>Whether there is such a device.</returns>
    /// <exception cref="NativeLibraryException">The native library cannot be loaded.</exception>
    /// <exception cref="LoraKernelsException">
    /// <see cref="LoraKernelsStatus.InvalidArgument"/>: unknown kind or negative index.
    /// </exception>
    public static unsafe bool TryDescribe(
        DeviceKind kind, int index, [NotNullWhen(true)] out DeviceInfo? info, [NotNullWhen(false)] out string? whyNot)
    {
        var native = new lk_device_info { struct_size = (uint)sizeof(lk_device_info) };
        lk_status status = NativeMethods.lk_device_describe((lk_device_kind)kind, index, &native);
        if (status == lk_status.LK_DEVICE_UNAVAILABLE)
        {
            info = null;
            whyNot = NativeCall.Failure(status).Message;
            return false;
        }
        NativeCall.Check(status);
        info = NativeCall.Info(native);
        whyNot = null;
        return true;
    }

    internal static (DeviceKind Kind, int Index, CpuIsa Isa) ParseName(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        int colon = name.IndexOf(':', StringComparison.Ordinal);
        string kind = (colon < 0 ? name : name[..colon]).ToUpperInvariant();
        string? detail = colon < 0 ? null : name[(colon + 1)..].ToUpperInvariant();
        return (kind, detail) switch
        {
            ("CPU", null) => (DeviceKind.Cpu, 0, CpuIsa.Auto),
            ("CPU", _) when PathNames.TryGetValue(detail!, out CpuIsa isa) => (DeviceKind.Cpu, 0, isa),
            ("EMULATED", null) => (DeviceKind.Emulated, 0, CpuIsa.Auto),
            ("CUDA", null) => (DeviceKind.Cuda, 0, CpuIsa.Auto),
            ("CUDA" or "EMULATED", _)
                when int.TryParse(detail, NumberStyles.None, CultureInfo.InvariantCulture, out int index) =>
                (kind == "CUDA" ? DeviceKind.Cuda : DeviceKind.Emulated, index, CpuIsa.Auto),
            _ => throw new ArgumentException($"'{name}' names no device; {AllowedNames}", nameof(name)),
        };
    }

    private static bool CanOpen(CpuIsa isa)
    {
        try
        {
            using Device device = OpenCpu(isa);
            return true;
        }
        catch (LoraKernelsException exception) when (exception.Status == LoraKernelsStatus.Unsupported)
        {
            return false;
        }
    }

    private static unsafe int Count(DeviceKind kind)
    {
        int count;
        NativeCall.Check(NativeMethods.lk_device_count((lk_device_kind)kind, &count));
        return count;
    }
}
