using LoraKernels.Bridges;
using ManagedCuda;

namespace LoraKernels.BridgeTests;

/// <summary>The program of ManagedCuda's README, which <see cref="ReadmeTests"/> compares with this.</summary>
internal static class ManagedCudaSample
{
    public static float[] Forward(CudaContext context, WeightTensors tensors, float[] activations)
    {
        using var stream = new CudaStream();
        using ManagedCudaDevice bridge = ManagedCudaDevice.Open(context, stream);
        using QuantizedWeight weight = QuantizedWeight.Pack(bridge.Device, tensors);

        long rows = activations.Length / weight.InFeatures;
        using var x = new CudaDeviceVariable<float>(rows * weight.InFeatures);
        using var y = new CudaDeviceVariable<float>(rows * weight.OutFeatures);
        x.CopyToDevice(activations);                               // or a kernel of yours, on the stream
        using DeviceTensor<float> input = bridge.Borrow(x, rows, weight.InFeatures);
        using DeviceTensor<float> output = bridge.Borrow(y, rows, weight.OutFeatures);
        new Linear(weight).Forward(input, output);                 // enqueued on the stream
        stream.Synchronize();
        return y;
    }
}
