using System.Runtime.InteropServices;

namespace LoraKernels.Cli.Commands.Demo;

/// <summary>
/// The inputs and outputs of a layer's linears for a batch of requests, on the device. Linears of equal width share an
/// input. A request's input depends on its number alone, so that the same request can stand in another order.
/// </summary>
internal sealed class Activations<T> : IDisposable
    where T : unmanaged
{
    private const ulong Seed = 0x1A7E5;

    private readonly Dictionary<long, DeviceTensor<T>> _inputs = [];
    private readonly Dictionary<string, DeviceTensor<T>> _outputs = [];
    private readonly DecoderLayer _layer;
    private readonly ActivationType<T> _type;
    private readonly int[] _requests;

    /// <param name="requests">The request that each row is.</param>
    public Activations(Device device, DecoderLayer layer, IReadOnlyList<int> requests, ActivationType<T> type)
    {
        _layer = layer;
        _type = type;
        _requests = [.. requests];
        foreach (LayerLinear linear in layer.Linears)
        {
            long width = linear.InFeatures;
            if (!_inputs.ContainsKey(width))
                _inputs.Add(width, device.Upload<T>(CreateInput(width), _requests.Length, width));
            _outputs.Add(linear.Name, device.Allocate<T>(_requests.Length, linear.OutFeatures));
        }
    }

    /// <summary>y = linear(x) for every linear of the layer, all rows.</summary>
    public void Run(LoraBatch? batch) => Run(0, _requests.Length, batch);

    /// <summary>The same for some rows; the batch knows those only.</summary>
    public void Run(int firstRow, int rows, LoraBatch? batch)
    {
        foreach (LayerLinear linear in _layer.Linears)
        {
            using DeviceTensor<T> x = _inputs[linear.InFeatures].Slice(firstRow, rows, 0, linear.InFeatures);
            using DeviceTensor<T> y = _outputs[linear.Name].Slice(firstRow, rows, 0, linear.OutFeatures);
            if (batch is null)
                linear.Linear.Forward(x, y);
            else
                linear.Linear.Forward(x, batch, y);
        }
    }

    public float[] Input(LayerLinear linear) => Array.ConvertAll(_inputs[linear.InFeatures].ToArray(), _type.Widen);

    public float[] Output(LayerLinear linear) => Array.ConvertAll(_outputs[linear.Name].ToArray(), _type.Widen);

    /// <summary>Whether every request has, bit for bit, the outputs that it has in <paramref name="other"/>.</summary>
    public bool HasSameBits(Activations<T> other)
    {
        foreach (LayerLinear linear in _layer.Linears)
        {
            int width = (int)linear.OutFeatures;
            T[] mine = _outputs[linear.Name].ToArray(), theirs = other._outputs[linear.Name].ToArray();
            for (int row = 0; row < _requests.Length; row++)
            {
                int otherRow = Array.IndexOf(other._requests, _requests[row]);
                ReadOnlySpan<byte> a = MemoryMarshal.AsBytes(mine.AsSpan(row * width, width));
                ReadOnlySpan<byte> b = MemoryMarshal.AsBytes(theirs.AsSpan(otherRow * width, width));
                if (!a.SequenceEqual(b))
                    return false;
            }
        }
        return true;
    }

    public void Dispose()
    {
        foreach (DeviceTensor<T> tensor in _inputs.Values.Concat(_outputs.Values))
            tensor.Dispose();
    }

    private T[] CreateInput(long width)
    {
        float[] values = new float[width];
        T[] input = new T[_requests.Length * width];
        for (int row = 0; row < _requests.Length; row++)
        {
            GaussianSource.Fill(GaussianSource.Seed(Seed, $"request {_requests[row]} width {width}"), 1, values);
            Array.ConvertAll(values, _type.Round).CopyTo(input.AsSpan(checked((int)(row * width))));
        }
        return input;
    }
}
