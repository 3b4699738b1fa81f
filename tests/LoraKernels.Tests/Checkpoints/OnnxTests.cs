using LoraKernels.Checkpoints;
using NUnit.Framework;

namespace LoraKernels.Tests.Checkpoints;

/// <summary>ONNX models: where their weights are found, and what is refused.</summary>
public sealed class OnnxTests : FolderTests
{
    private const string Layer = OnnxBytes.Layer;

    [Test]
    public void ReadsTheTensorsOfANode()
    {
        string path = Folder.Write("model.onnx", OnnxBytes.Model(OnnxBytes.Tensors()));
        Folder.Write("config.json", """{"_name_or_path": "org/base", "quantization_config": {"quant_method": "awq"}}""");
        using var checkpoint = Checkpoint.Open(Folder.Path);
        var tensors = checkpoint.ReadWeight(Layer);
        Assert.Multiple(() =>
        {
            Assert.That(checkpoint.Path, Is.EqualTo(path));
            Assert.That((checkpoint.Kind, checkpoint.BaseModelName), Is.EqualTo(("ONNX", "org/base")));
            Assert.That(checkpoint.Weights, Is.EqualTo(
                new[] { new WeightInfo(Layer, WeightFormat.OnnxMatMulNBits, 4, 40, 32, false, 128 + 16) }));
            Assert.That(checkpoint.Tensors, Is.Empty);
            Assert.That(tensors.ScaleDType, Is.EqualTo(DType.Float16));
            Assert.That(tensors.Codes.ToArray(), Is.EqualTo(OnnxBytes.Data(2, [128])));
            Assert.That(tensors.Scales.ToArray(), Is.EqualTo(OnnxBytes.Data(10, [8])));
            Assert.That(tensors.ZeroPoints.IsEmpty && tensors.GroupIndex.IsEmpty);
        });
    }

    [Test]
    public void ReadsDataOfOtherFiles()
    {
        byte[] data = [1, 2, 3, .. OnnxBytes.Data(2, [128]), 9];
        Directory.CreateDirectory(Folder.Combine("data"));
        Folder.Write(Path.Combine("data", "b"), data);
        Folder.Write("any.name", OnnxBytes.Data(10, [8]));
        string path = Folder.Write("m.onnx", OnnxBytes.Model(
        [
            OnnxBytes.ExternalTensor("B", 2, [4, 2, 16], ("location", "data/b"), ("offset", "3"), ("length", "128"), ("checksum", "?")),
            OnnxBytes.ExternalTensor("S", 10, [8], ("location", "any.name")),
        ]));
        using var checkpoint = Checkpoint.Open(path);
        var tensors = checkpoint.ReadWeight(Layer);
        Assert.That(tensors.Codes.ToArray(), Is.EqualTo(data[3..^1]));
        Assert.That(tensors.Scales.ToArray(), Is.EqualTo(OnnxBytes.Data(10, [8])));
        using var device = Device.OpenCpu();
        using var loaded = checkpoint.LoadAllAsync(device).Result;
        Assert.That(loaded[Layer].InFeatures, Is.EqualTo(40));
    }

    [Test]
    public void TakesNamesFromNodesAndOneWeightFromTwoBranches()
    {
        byte[] Named(string name) => OnnxBytes.Node(OnnxBytes.Inputs, OnnxBytes.Attributes, name);
        byte[] tied = OnnxBytes.Graph([Named("/lm_head/MatMul_Q4"), Named("own"), Named(""),
            OnnxBytes.Node(OnnxBytes.Inputs, [], "other", "com.example")], []);
        byte[] either = OnnxBytes.Message((3, "/If"), (4, "If"), (5, OnnxBytes.Message((1, "then_branch"), (6, tied))),
            (5, OnnxBytes.Message((1, "else_branch"), (6, tied))));
        using var checkpoint = Checkpoint.Open(
            Folder.Write("model.onnx", OnnxBytes.Model(OnnxBytes.Graph([either], OnnxBytes.Tensors()))));
        Assert.That(checkpoint.Weights.Select(w => w.Name), Is.EqualTo("lm_head,own,B".Split(',')));
    }

    [Test]
    public void TwoWeightsOfOneModuleGoByTheirNodes()
    {
        byte[] first = OnnxBytes.Node(OnnxBytes.Inputs, OnnxBytes.Attributes, "/m/MatMul");
        byte[] second = OnnxBytes.Node(["x", "B2", "S"], OnnxBytes.Attributes, "/m/MatMul_1");
        using var checkpoint = Checkpoint.Open(Folder.Write("model.onnx", OnnxBytes.Model(OnnxBytes.Graph(
            [first, second], [.. OnnxBytes.Tensors(), OnnxBytes.Tensor("B2", 2, [4, 2, 16])]))));
        Assert.That(checkpoint.Weights.Select(w => w.Name), Is.EqualTo("/m/MatMul,/m/MatMul_1".Split(',')));

        Refuse(OnnxBytes.Model(OnnxBytes.Graph(
            [first, OnnxBytes.Node(["x", "B2", "S"], OnnxBytes.Attributes, "/m/MatMul")],
            [.. OnnxBytes.Tensors(), OnnxBytes.Tensor("B2", 2, [4, 2, 16])])), "/m/MatMul", "two MatMulNBits nodes");
    }

    [TestCase("bits", 8, "bits 8", "4 bits")]
    [TestCase("block_size", 24, "block_size 24", "power of two")]
    [TestCase("block_size", 8, "block_size 8", "power of two")]
    [TestCase("K", 0, "K 0", "above 0")]
    [TestCase("N", -1, "N -1", "above 0")]
    public void RefusesAttributes(string name, long value, params string[] reason) => Refuse(
        OnnxBytes.Model(OnnxBytes.Tensors(), null, OnnxBytes.Attributes.Select(a => a.Name == name ? (name, value) : a)),
        Layer, reason);

    [TestCase("K", 1L << 40, "expected U8 [4, 34359738368, 16]")]
    [TestCase("N", long.MaxValue, "expected U8 [9223372036854775807, 2, 16]")]
    [TestCase("block_size", 64, "expected U8 [4, 1, 32]")]
    public void RefusesAttributesThatTheCodesDoNotFit(string name, long value, string reason) => Refuse(
        OnnxBytes.Model(OnnxBytes.Tensors(), null, OnnxBytes.Attributes.Select(a => a.Name == name ? (name, value) : a)),
        "B", reason);

    [Test]
    public void RefusesANodeWithoutWhatItMustHave()
    {
        Refuse(OnnxBytes.Model(OnnxBytes.Tensors(), ["x", "B"]), Layer, "no input scales");
        Refuse(OnnxBytes.Model(OnnxBytes.Tensors(), null, [("N", 4), ("block_size", 32)]), Layer, "no attribute K");
        Refuse(OnnxBytes.Model(OnnxBytes.Tensors()[..1]), "S", "the scales of '" + Layer, "no such initializer");
        Refuse(OnnxBytes.Model(OnnxBytes.Tensors(), [.. OnnxBytes.Inputs, "", "I"]), "I", "the g_idx of", "no such initializer");
    }

    [TestCase("S", 11, new long[] { 8 }, "is F64 [8]; expected F16 or BF16 or F32 [8]")]
    [TestCase("S", 17, new long[] { 8 }, "is F8E4M3 [8]; expected F16 or BF16 or F32 [8]")]
    [TestCase("S", 22, new long[] { 8 }, "data type 22")]
    [TestCase("S", 10, new long[] { 4, 3 }, "expected F16 or BF16 or F32 [4, 2]")]
    [TestCase("B", 3, new long[] { 4, 2, 16 }, "expected U8 [4, 2, 16]")]
    [TestCase("Z", 2, new long[] { 8 }, "expected U8 [4]")]
    [TestCase("Z", 1, new long[] { 8 }, "expected F16 [8]")]
    [TestCase("I", 6, new long[] { 41 }, "expected I32 [40]")]
    [TestCase("I", 7, new long[] { 40 }, "expected I32 [40]")]
    [TestCase("bias", 10, new long[] { 5 }, "[4]")]
    public void RefusesTensorsThatDoNotFit(string name, int type, long[] shape, string reason)
    {
        var tensors = new Dictionary<string, byte[]>
        {
            ["B"] = OnnxBytes.Tensor("B", 2, [4, 2, 16]),
            ["S"] = OnnxBytes.Tensor("S", 10, [8]),
            ["Z"] = OnnxBytes.Tensor("Z", 2, [4, 1]),
            ["I"] = OnnxBytes.Tensor("I", 6, [64]),
            ["bias"] = OnnxBytes.Tensor("bias", 10, [4]),
        };
        string[] inputs = [.. OnnxBytes.Inputs, "Z", "I", "bias"];
        using (var good = Checkpoint.Open(Folder.Write("good.onnx", OnnxBytes.Model(tensors.Values, inputs))))
            Assert.That(good.ReadWeight(Layer).GroupIndex.Length, Is.EqualTo(160));
        tensors[name] = OnnxBytes.Tensor(name, type, shape);
        Refuse(OnnxBytes.Model(tensors.Values, inputs), name, reason);
    }

    [Test]
    public void RefusesDataThatIsNotThere()
    {
        RefuseCodes(OnnxBytes.Tensor("B", 2, [4, 2, 16], new byte[127]), "B", "128 bytes; its data has 127");
        RefuseCodes(OnnxBytes.Tensor("B", 2, [1L << 40, 1L << 40]), "B", "2^63");
        RefuseCodes(OnnxBytes.Message((1, 4), (1, 2), (1, 16), (2, 2), (8, "B")), "B", "has no data");
        RefuseCodes(OnnxBytes.Message((1, 4), (2, 6), (5, new byte[4]), (8, "B")), "B", "has its data in int32_data");
        RefuseCodes(OnnxBytes.Tensor("S", 2, [1]), "S", "two initializers");
    }

    [Test]
    public void RefusesFilesOutsideTheFolder()
    {
        using var outside = new TempFolder();
        string secret = outside.Write("secret", new byte[128]);
        File.CreateSymbolicLink(Folder.Combine("link"), secret);
        Directory.CreateSymbolicLink(Folder.Combine("folder"), outside.Path);
        foreach (string location in (string[])[secret, "../x/secret", "a/../../secret", "", "a//b", @"..\secret", "C:x", "a\0"])
            RefuseCodes(External(("location", location)), "B", "cannot be opened", "no plain file name");
        foreach (string location in (string[])["link", "folder/secret"])
            RefuseCodes(External(("location", location)), "B", "cannot be opened", "outside of its folder");
        RefuseCodes(External(("location", new string('a', 5000))), "B", "at most 1024");
        RefuseCodes(External(("location", "absent")), "B", "no such file");
    }

    /// <summary>As the Hugging Face cache keeps a model's folder "onnx".</summary>
    [Test]
    public void ReadsLinksToTheBlobsOfACache()
    {
        string folder = Directory.CreateDirectory(Folder.Combine(Path.Combine("snapshots", "1a2b", "onnx"))).FullName;
        Directory.CreateDirectory(Folder.Combine("blobs"));
        Folder.Write(Path.Combine("blobs", "f00"), OnnxBytes.Data(2, [128]));
        File.CreateSymbolicLink(Path.Combine(folder, "model.onnx_data"), Path.Combine("..", "..", "..", "blobs", "f00"));
        File.WriteAllBytes(Path.Combine(folder, "model.onnx"),
            OnnxBytes.Model([OnnxBytes.Tensors()[1], External(("location", "model.onnx_data"))]));
        using var checkpoint = Checkpoint.Open(folder);
        Assert.That(checkpoint.ReadWeight(Layer).Codes.ToArray(), Is.EqualTo(OnnxBytes.Data(2, [128])));
    }

    [Test]
    public void RefusesRangesThatAFileHasNot()
    {
        string file = Folder.Write("data", new byte[130]);
        RefuseCodes(External(("offset", "0")), "B", "no location");
        RefuseCodes(External(("location", "data"), ("length", "127")), "B", "128 bytes", "has 127");
        foreach (string offset in (string[])["-1", "x", "0x1", "", "99999999999999999999"])
            RefuseCodes(External(("location", "data"), ("offset", offset)), "B", "the offset", "whole number");
        foreach (string offset in (string[])["3", "9223372036854775807"])
        {
            Refusals.Expect(() => Checkpoint.Open(WithCodes(External(("location", "data"), ("offset", offset)))), file, "B",
                "cut short");
        }
    }

    [Test]
    public void RefusesWhatIsNoModel()
    {
        byte[] model = OnnxBytes.Model(OnnxBytes.Tensors());
        Refuse(model[..^1], null, "cut short");
        Refuse(OnnxBytes.Message((1, 9), (2, "tests")), null, "no graph");
        Refuse([0x08, 0x09, 0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f], null, "no ONNX model");
        Refuse([0x08, 0x09, 0x12, 0, 0x0b], null, "wire type 3");
        Refuse([0x08, 0x09, 0x12, 0, 0x00], null, "no field's tag");
        Refuse([0x08, 0x09, 0x3a, 0x02, 0x2a, 0x00], null, "without a name");
        byte[] graph = OnnxBytes.Graph([], []);
        for (int i = 0; i < 9; i++) graph = OnnxBytes.Graph([OnnxBytes.Message((5, OnnxBytes.Message((6, graph))))], []);
        Refuse(OnnxBytes.Model(graph), null, "inside of 8 others");
    }

    [Test]
    public void AFileCutShortWhileItIsReadIsNamed()
    {
        string file = Folder.Write("data", OnnxBytes.Data(2, [128]));
        using var checkpoint = Checkpoint.Open(WithCodes(External(("location", "data"))));
        using (var stream = new FileStream(file, FileMode.Open, FileAccess.Write, FileShare.ReadWrite)) stream.SetLength(100);
        Refusals.Expect(() => checkpoint.ReadWeight(Layer), file, "B", "cut short or replaced");
    }

    private static byte[] External(params (string, string)[] external) => OnnxBytes.ExternalTensor("B", 2, [4, 2, 16], external);

    private string WithCodes(byte[] tensor) =>
        Folder.Write("model.onnx", OnnxBytes.Model([OnnxBytes.Tensors()[1], tensor]));

    private void RefuseCodes(byte[] tensor, string name, params string[] reason)
    {
        string path = WithCodes(tensor);
        Refusals.Expect(() => Checkpoint.Open(path), path, name, reason);
    }

    private void Refuse(byte[] model, string? name, params string[] reason)
    {
        string path = Folder.Write("model.onnx", model);
        Refusals.Expect(() => Checkpoint.Open(path), path, name, reason);
    }
}
