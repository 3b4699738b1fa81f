using ILGPU;
using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;
using LoraKernels.Bridges;

namespace LoraKernels.BridgeTests;

/// <summary>The program of ILGPU's README, which <see cref="ReadmeTests"/> compares with this.</summary>
internal static class IlgpuSample
{
    public static float[,] Forward(CudaAccelerator accelerator, WeightTensors tensors, float[,] activations)
    {
        using AcceleratorStream stream = accelerator.CreateStream();
        using IlgpuDevice bridge = IlgpuDevice.Open(stream);
        using QuantizedWeight weight = QuantizedWeight.Pack(bridge.Device, tensors);

        int rows = activations.GetLength(0);
        using var x = accelerator.Allocate2DDenseY<float>(new LongIndex2D(rows, weight.InFeatures));
        using var y = accelerator.Allocate2DDenseY<float>(new LongIndex2D(rows, weight.OutFeatures));
        x.CopyFromCPU(stream, activations);                        // or a kernel of yours: kernel(stream, …)
        using DeviceTensor<float> input = bridge.Borrow(x.View);
        using DeviceTensor<float> output = bridge.Borrow(y.View);
        new Linear(weight).Forward(input, output);                 // enqueued on the stream
        return y.GetAsArray2D(stream);
    }
}
